"""The report of a compiled model as one HTML page without references to anything outside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from edgeopt.report.bars import bars
from edgeopt.report.lines import Axis, Curve, lines
from edgeopt.report.quantization import LAYERS, SUMMARY, layer_rows, summary_rows

STYLE = """
:root{color-scheme:light dark;--ink:#1c2733;--paper:#fff;--line:#d5dce4;--soft:#6b7885;--before:#9fb0c0;
  --after:#2b6cb0;--bad:#c2512f}
@media(prefers-color-scheme:dark){:root{--ink:#e3e9ef;--paper:#161c22;--line:#34404c;--soft:#93a1ae;--before:#5d6d7c;--after:#63a4e6}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}p.about{color:var(--soft);margin-top:.2rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:500}td,th{border-bottom:1px solid var(--line);padding:.25rem .6rem .25rem 0}
td.n,th.n{text-align:right}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
.before{fill:var(--before)}.after{fill:var(--after)}.bad{fill:var(--bad)}div.wide{overflow-x:auto}
"""


def page(manifest: Mapping[str, Any]) -> str:
    """The page for a manifest: what was decided, what each layer costs before and after, which kernels run."""
    target = manifest["target"]
    about = f"level -O{manifest['level']} for {target['name']} ({target.get('description') or target['triple']})"
    body = [f"<h1>{escape(manifest['model'])}</h1>", f'<p class="about">{escape(about)}</p>', *_quantization(manifest)]
    if curve := manifest.get("exits"):
        body.append(section("Early exits", _exits(curve)))
    body += [section("Memory", table(("", "bytes"), _memory(manifest), {1})), section("Kernels", _kernels(manifest))]
    if found := manifest.get("islands"):
        rows = [(i["node"], i["op"], i["reason"]) for i in found]
        body.append(section("Left in float", table(("layer", "operator", "because"), rows, set())))
    notes = [*manifest["notes"], *(f"{f['op']} '{f['node']}' runs on the host: {f['reason']}" for f in manifest["fallbacks"])]
    if notes:
        body.append(section("Notes", "<ul>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>"))
    return document(manifest["model"], body)


def document(title: str, body: Sequence[str]) -> str:
    """A page without references to anything outside it."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    about = f"<title>{escape(title)} - edgeopt</title><style>{STYLE}</style>"
    return f'<!doctype html>\n<html lang="en">{head}{about}<body>{"".join(body)}</body></html>\n'


def _quantization(manifest: Mapping[str, Any]) -> list[str]:
    record = manifest.get("quantization")
    if record is None:
        return []
    how = "measured on this machine" if record["totals"]["result"]["measured"] else "estimated for the target"
    times = [(r["layer"], 1e6 * (r["float_seconds"] or 0.0), 1e6 * (r["seconds"] or 0.0)) for r in record["layers"]]
    errors = [(r["layer"], 100 * r["error"]) for r in record["layers"] if r["error"] is not None]
    parts = [section("Before and after", table(SUMMARY, summary_rows(record), {1, 2, 3}))]
    legend = f"µs of one inference, {how}: grey in float, coloured as {escape(record['scheme'])}, red where that is slower"
    parts.append(section("Time of each layer", f'<p class="about">{legend}</p>{bars(times)}'))
    if errors:
        text = (
            '<p class="about">error at the output of each layer in the quantised network, % of its signal (root mean square)</p>'
        )
        parts.append(section("Error of each layer", text + bars([(name, 0.0, error) for name, error in errors], "%")))
    parts.append(section("Layers", table(LAYERS, layer_rows(record), {2, 3, 4, 5})))
    return parts


def _exits(points: Sequence[Sequence[float]]) -> str:
    """Points (share of operations, percentage points lost, their bound) over all thresholds."""
    lost, bound = ([(point[0], point[k]) for point in points] for k in (1, 2))
    curves = [Curve("lost", lost), Curve("bound of 95 %", bound)]
    return lines(curves, Axis("share of the multiply-accumulates"), Axis("percentage points"))


def _memory(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"weights_bytes": "weights", "arena_bytes": "arena of activations", "scratch_bytes": "scratch of a thread"}
    rows = [(f"{label}, in memory", f"{manifest[key]:,}") for key, label in names.items()]
    stored = sum(tensor["stored"] for tensor in manifest["storage"]["tensors"])
    rows = [("weights, on disk", f"{stored:,}"), *rows] if stored else rows
    return [("the model it was compiled from", f"{manifest['source_bytes']:,}"), *rows] if manifest.get("source_bytes") else rows


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
