"""The report of a compiled model as one HTML page without references to anything outside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

from edgeopt.report.bars import bars
from edgeopt.report.controls import STYLE as CONTROLS
from edgeopt.report.controls import controls
from edgeopt.report.drawing import drawing, legend, timeline
from edgeopt.report.exits import EXITS, LATENCY, exit_rows, latency_rows, sentence
from edgeopt.report.key import STYLE as KEYS
from edgeopt.report.lines import Axis, Curve, lines
from edgeopt.report.quantization import LAYERS, SUMMARY, layer_rows, summary_rows
from edgeopt.report.stored import stored_by_layer
from edgeopt.report.times import SHORTEST, measurable
from edgeopt.report.tried import tried

TOO_SHORT = f"less than {1e6 * SHORTEST:.1f} µs, which is too short to measure"
BYTES = ("bytes in the model", "bytes stored")

STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--paper:#fff;--line:#d5dce4;--soft:#6b7885;--before:#9fb0c0;
  --after:#2b6cb0;--mid:#a9cbee;--bad:#c2512f}
@media(prefers-color-scheme:dark){:root{--ink:#e3e9ef;--paper:#161c22;--line:#34404c;--soft:#93a1ae;--before:#5d6d7c;--after:#63a4e6;--mid:#2c4a68}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}p.about{color:var(--soft);margin-top:.2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:500}td,th{border-bottom:1px solid var(--line);padding:.25rem .6rem .25rem 0}
td.n,th.n{text-align:right}td.n{white-space:nowrap}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
rect.integer{fill:var(--after)}rect.approximate{fill:var(--mid);stroke:var(--ink);stroke-dasharray:4 2}
rect.float{fill:var(--paper);stroke:var(--before);stroke-width:1.5}rect.integer~text.on{fill:var(--paper)}
rect.integer~text .soft{fill:var(--paper)}.soft{fill:var(--soft)}
path.edge{fill:none;stroke:var(--soft)}rect.frame{stroke:var(--paper)}
.key{border:1.5px solid var(--before);border-radius:4px;padding:0 .4rem}.key.integer{background:var(--after);color:var(--paper)}
.key.approximate{background:var(--mid);border-style:dashed}h1,td:first-child{overflow-wrap:anywhere}td{overflow-wrap:break-word}
td:first-child{min-width:6rem}div.points td:last-child{min-width:11rem}
@media(prefers-color-scheme:dark){svg.plot polyline,svg.plot path,svg.plot circle,svg.plot polygon,p.kinds svg
  {filter:brightness(1.4)}}
@media(max-width:30rem){svg.plot text{font-size:25px}svg.plot text.turned{display:none}
  body{margin:1rem auto;padding:0 .6rem;font-size:14px}td,th{padding:.2rem .3rem .2rem 0;font-size:12px}}
@media print{:root{--ink:#000;--paper:#fff;--line:#999;--soft:#444;--before:#999;--after:#444;--mid:#ccc;--bad:#000}
  section{break-inside:avoid-page}body{max-width:none;margin:0}.bad{stroke:#000;stroke-dasharray:3 2;fill:#fff}}
svg text.inside{fill:#fff}svg text.on{pointer-events:none}rect.after~text.on{fill:var(--paper)}
.before{fill:var(--before)}.after{fill:var(--after)}.bad{fill:var(--bad)}div.wide{overflow-x:auto}
"""


def page(manifest: Mapping[str, Any]) -> str:
    """The page for a manifest: what was decided, what each layer costs before and after, which kernels run."""
    target = manifest["target"]
    source, model = manifest.get("source_file"), manifest["model"]
    title = PurePath(source).stem if source else model  # exporters call every graph the same, as "main_graph"
    file = f"{source}, " if source else ""
    graph = f"graph '{model}', " if title != model else ""
    about = f"{file}{graph}level -O{manifest['level']} for {target['name']} ({target.get('description') or target['triple']})"
    body = [f"<h1>{escape(title)}</h1>", f'<p class="about">{escape(about)}</p>', *_quantization(manifest)]
    if found := manifest.get("exits"):
        body.append(section("Early exits", _exits(found) + _latency(found["latency"])))
    body.append(section("Memory", table(("", "bytes"), _memory(manifest), {1}) + _arena(manifest)))
    if picture := drawing(manifest):
        body.append(section("Graph", legend() + controls(picture)))
    body.append(section("Kernels", _kernels(manifest)))
    if found := manifest.get("islands"):
        rows = [(i["node"], i["op"], i["reason"]) for i in found]
        body.append(section("Left in float", table(("layer", "operator", "because"), rows, set())))
    notes = [*manifest["notes"], *(f"{f['op']} '{f['node']}' runs on the host: {f['reason']}" for f in manifest["fallbacks"])]
    if notes:
        body.append(section("Notes", "<ul>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"))
    return document(title, body)


def document(title: str, body: Sequence[str]) -> str:
    """A page without references to anything outside it."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    about = f"<title>{escape(title)} - edgeopt</title><style>{STYLE}{CONTROLS}{KEYS}</style>"
    return f'<!doctype html>\n<html lang="en">{head}{about}<body>{"".join(body)}</body></html>\n'


def _quantization(manifest: Mapping[str, Any]) -> list[str]:
    record = manifest.get("quantization")
    if record is None:
        return []
    how = "measured on this machine" if record["totals"]["result"]["measured"] else "estimated for the target"
    times = [(r["layer"], _drawn(r["float_seconds"]), _drawn(r["seconds"])) for r in record["layers"]]
    errors = [(r["layer"], 100 * r["error"]) for r in record["layers"] if r["error"] is not None]
    parts = [section("Before and after", table(SUMMARY, summary_rows(record), {1, 2, 3}))]
    legend = f"µs of one inference, {how}: grey in float, coloured as {escape(record['scheme'])}, red where that is slower"
    parts.append(section("Time of each layer", f'<p class="about">{legend}</p>{bars(times, nothing=TOO_SHORT)}'))
    if errors:
        text = (
            '<p class="about">error at the output of each layer in the quantised network, % of its signal (root mean square)</p>'
        )
        parts.append(section("Error of each layer", text + bars([(name, 0.0, error) for name, error in errors], "%")))
    if found := record.get("tried"):
        parts.append(section("Networks that were tried", tried(found)))
    rows = [(*row[:-1], *sizes, row[-1]) for row, sizes in zip(layer_rows(record), _layer_bytes(manifest), strict=True)]
    parts.append(section("Layers", table((*LAYERS[:-1], *BYTES, LAYERS[-1]), rows, {2, 3, 4, 5, 6, 7})))
    return parts


def _layer_bytes(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of each layer the bytes of its weights in the model, and of all that is stored for it."""
    stored = stored_by_layer(manifest)
    sizes = [(row.get("float_bytes"), stored.get(row["layer"])) for row in manifest["quantization"]["layers"]]
    return [("-" if was is None else f"{was:,}", "-" if now is None else f"{now:,}") for was, now in sizes]


def _drawn(seconds: float | None) -> float:
    """Microseconds; 0, which draws nothing, for what is too short to be measured."""
    return 1e6 * seconds if seconds is not None and measurable(seconds) else 0.0


def _exits(record: Mapping[str, Any]) -> str:
    """Where samples leave, and points lost with their bound against the share of operations, over all thresholds: a dot is the

    one that was chosen.
    """
    points = sorted((point["macs"], point["loss"], point["bound"]) for point in record["curve"])
    lost, bound = ([(point[0], point[k]) for point in points] for k in (1, 2))
    chosen = record["chosen"]
    dot = Curve(f"threshold {record['threshold']:.4f}", [(chosen["macs"], chosen["bound"])])
    curves = [Curve("lost", lost), Curve("bound of 95 %", bound), dot]
    drawn = lines(curves, Axis("share of the multiply-accumulates"), Axis("percentage points"))
    return table(EXITS, exit_rows(record), {1, 2, 3}) + f'<p class="about">{escape(sentence(record))}</p>{drawn}'


def _latency(measured: Mapping[str, Any] | None) -> str:
    """Microseconds of the model with and without its exits."""
    if measured is None:
        return ""
    return table(("µs of an inference on this machine", *LATENCY[1:]), latency_rows(measured), {1, 2, 3, 4})


def _memory(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"weights_bytes": "weights", "arena_bytes": "arena of activations", "scratch_bytes": "scratch of a thread"}
    rows = [(f"{label}, in memory", f"{manifest[key]:,}") for key, label in names.items()]
    stored = sum(tensor["stored"] for tensor in manifest["storage"]["tensors"])
    rows = [("weights, on disk", f"{stored:,}"), *rows] if stored else rows
    return [("the model it was compiled from", f"{manifest['source_bytes']:,}"), *rows] if manifest.get("source_bytes") else rows


def _arena(manifest: Mapping[str, Any]) -> str:
    """What lies in the arena, step by step."""
    picture = timeline(manifest.get("buffers") or [], len(manifest["kernels"]), manifest["arena_bytes"])
    return f'<p class="about">the arena over the steps: each block is a buffer while it is needed</p>{picture}' if picture else ""


def _kernels(manifest: Mapping[str, Any]) -> str:
    counts = Counter((k["kernel"], k["op"]) for k in manifest["kernels"])
    return table(("kernel", "operator", "calls"), [(k, op, str(n)) for (k, op), n in counts.most_common()], {2})


def section(title: str, content: str) -> str:
    """A part of a page with its heading."""
    return f'<section><h2>{escape(title)}</h2><div class="wide">{content}</div></section>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    """Rows under the names of their columns, of which ``numbers`` are aligned at their ends."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = (f"<{tag}{' class=n' if i in numbers else ''}>{escape(c)}</{tag}>" for i, c in enumerate(cells))
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{line(columns, 'th')}{''.join(line(r, 'td') for r in rows)}</table>"
