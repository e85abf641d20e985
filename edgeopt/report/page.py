"""The report of a compiled model as one HTML page without references to anything outside it."""

from __future__ import annotations

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
from edgeopt.report.record import FLOAT
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
.before{fill:var(--before)}.after{fill:var(--after)}.bad{fill:var(--bad)}
div.wide{overflow-x:auto;background:linear-gradient(90deg,var(--paper) 30%,transparent) 0 0/2rem 100% no-repeat local,
  linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0/2rem 100% no-repeat local,
  linear-gradient(90deg,var(--soft),transparent) 0 0/.5rem 100% no-repeat,
  linear-gradient(270deg,var(--soft),transparent) 100% 0/.5rem 100% no-repeat}
"""


def page(report: Mapping[str, Any]) -> str:
    """The page of a record (``edgeopt.report.record``): what was decided, what each layer costs, which kernels run."""
    target = report["target"]
    source, model = report["source_file"], report["model"]
    title = PurePath(source).stem if source else model  # exporters call every graph the same, as "main_graph"
    file = f"{source}, " if source else ""
    graph = f"graph '{model}', " if title != model else ""
    about = f"{file}{graph}level -O{report['level']} for {target['name']} ({target['about']})"
    body = [f"<h1>{escape(title)}</h1>", f'<p class="about">{escape(about)}</p>', *_summary(report), *_layers(report)]
    if found := report["exits"]:
        body.append(section("Early exits", _exits(found) + _latency(found["latency"])))
    body.append(section("Memory", table(("", "bytes"), _memory(report["memory"]), {1}) + _arena(report)))
    if picture := drawing(report):
        body.append(section("Graph", legend() + controls(picture)))
    body.append(section("Kernels", table(("kernel", "operator", "calls"), _kernels(report), {2})))
    if found := report["passes"]:
        body.append(section("Passes", table(("pass", "rewrites"), [(name, str(count)) for name, count in found.items()], {1})))
    if found := report["islands"]:
        rows = [(i["node"], i["op"], i["reason"]) for i in found]
        body.append(section("Left in float", table(("layer", "operator", "because"), rows, set())))
    notes = [*report["notes"], *(f"{f['op']} '{f['node']}' runs on the host: {f['reason']}" for f in report["fallbacks"])]
    if notes:
        body.append(section("Notes", "<ul>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"))
    return document(title, body)


def document(title: str, body: Sequence[str]) -> str:
    """A page without references to anything outside it."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    about = f"<title>{escape(title)} - edgeopt</title><style>{STYLE}{CONTROLS}{KEYS}</style>"
    return f'<!doctype html>\n<html lang="en">{head}{about}<body>{"".join(body)}</body></html>\n'


def _summary(report: Mapping[str, Any]) -> list[str]:
    rows = summary_rows(report["summary"])
    return [section("Before and after", table(SUMMARY, rows, {1, 2, 3}))] if rows else []


def _form(layers: Sequence[Mapping[str, Any]]) -> str:
    """What changed layers became."""
    forms = {layer["form"] for layer in layers if layer["form"] != FLOAT}
    return escape(forms.pop()) if len(forms) == 1 else "it was chosen"


def _layers(report: Mapping[str, Any]) -> list[str]:
    """Times, errors, what was tried and a table, where layers have other forms."""
    summary, layers = report["summary"], report["layers"]
    if "scheme" not in summary:
        return []
    how = "measured on this machine" if summary["measured"] else "estimated for the target"
    times = [(r["layer"], _drawn(r["float_seconds"]), _drawn(r["seconds"])) for r in layers]
    errors = [(r["layer"], 100 * r["error"]) for r in layers if r["error"] is not None]
    legend = f"µs of one inference, {how}: grey in float, coloured as {_form(layers)}, red where that is slower"
    parts = [section("Time of each layer", f'<p class="about">{legend}</p>{bars(times, nothing=TOO_SHORT)}')]
    if errors:
        text = '<p class="about">error at the output of each layer in the changed network, % of its signal (root mean square)</p>'
        parts.append(section("Error of each layer", text + bars([(name, 0.0, error) for name, error in errors], "%")))
    if found := report["tried"]:
        parts.append(section("Networks that were tried", tried(found, summary["metric"])))
    rows = [(*row[:-1], *_bytes(layer), row[-1]) for row, layer in zip(layer_rows(layers), layers, strict=True)]
    parts.append(section("Layers", table((*LAYERS[:-1], *BYTES, LAYERS[-1]), rows, {2, 3, 4, 5, 6, 7})))
    return parts


def _bytes(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """The bytes of its weights in the model, and of all that is stored for it."""
    return tuple("-" if size is None else f"{size:,}" for size in (layer.get("float_bytes"), layer["stored_bytes"]))


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


def _memory(memory: Mapping[str, int | None]) -> list[tuple[str, str]]:
    """Bytes; what is not known or not there is left out of what lies on disk."""
    disk = {"source_bytes": "the model it was compiled from", "stored_bytes": "weights, on disk"}
    names = {"weights_bytes": "weights", "arena_bytes": "arena of activations", "scratch_bytes": "scratch of a thread"}
    rows = [(label, f"{memory[key]:,}") for key, label in disk.items() if memory[key]]
    return [*rows, *((f"{label}, in memory", f"{memory[key]:,}") for key, label in names.items())]


def _arena(report: Mapping[str, Any]) -> str:
    """What lies in the arena, step by step."""
    picture = timeline(report["buffers"], report["steps"], report["memory"]["arena_bytes"])
    return f'<p class="about">the arena over the steps: each block is a buffer while it is needed</p>{picture}' if picture else ""


def _kernels(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(found["kernel"], found["op"], str(found["calls"])) for found in report["kernels"]]


def section(title: str, content: str) -> str:
    """A part of a page with its heading."""
    return f'<section><h2>{escape(title)}</h2><div class="wide">{content}</div></section>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: set[int]) -> str:
    """Rows under the names of their columns, of which ``numbers`` are aligned at their ends."""

    def line(cells: Sequence[str], tag: str) -> str:
        made = (f"<{tag}{' class=n' if i in numbers else ''}>{escape(c)}</{tag}>" for i, c in enumerate(cells))
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{line(columns, 'th')}{''.join(line(r, 'td') for r in rows)}</table>"
