"""The rows of the report on a quantised network: before and after, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeopt.report.times import faster, microseconds

Row = tuple[str, ...]
WORK = {"nodes": ("nodes", 1.0, "{:,.0f}"), "macs": ("multiply-accumulates, millions", 1e-6, "{:,.4g}")}
SUMMARY = ("", "before", "after", "change")
LAYERS = ("layer", "form", "float µs", "µs", "faster by", "error", "")


def summary_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Metric, agreement, work, latency, energy, weights and RAM before and after (``edgeopt.report.record.summary_of``)."""
    before, after = summary["before"], summary["after"]
    rows = _judged(summary) if summary.get("samples") else []
    rows += [(name, *_pair(before[key], after[key], factor, form)) for key, (name, factor, form) in WORK.items() if before[key]]
    if "scheme" not in summary:
        return rows
    how = "measured" if summary["measured"] else "estimated"
    rows.append((f"latency ms, {how}", *_pair(before["seconds"], after["seconds"], 1e3, "{:.4g}", faster=True)))
    if before["joule"] and after["joule"]:
        rows.append(("energy mJ, estimated", *_pair(before["joule"], after["joule"], 1e3, "{:.4g}")))
    if source := summary["source_weights"]:
        rows.append(("weights kB, from the model to memory", *_pair(source, after["weights"], 1e-3, "{:,.1f}")))
    rows.append(("weights kB, both as kernels hold them", *_pair(before["weights"], after["weights"], 1e-3, "{:,.1f}")))
    rows.append(("activations kB", *_pair(before["ram"], after["ram"], 1e-3, "{:,.1f}")))
    return rows


def _judged(summary: Mapping[str, Any]) -> list[Row]:
    """The metric on the samples that chose, and on others; and equal decisions."""
    before, after = summary["before"]["right"], summary["after"]["right"]
    change = f"{after - before:+.2f} points{_most(summary['reach'])}"
    made = [(f"{summary['metric']} %", f"{before:.2f}", f"{after:.2f}", change), *_apart(summary["held"], summary["metric"])]
    return [*made, ("decisions as in float %", "100.00", f"{summary['agreement']:.2f}", "")]


def _most(reach: float | None) -> str:
    """What may be lost by the interval of confidence, where it is known."""
    return "" if reach is None else f" (at most {reach:.2f} lost, 95 %)"


def _apart(held: Mapping[str, Any] | None, metric: str) -> list[Row]:
    """The metric on samples that chose nothing."""
    if held is None:
        return []
    change = f"{held['after'] - held['before']:+.2f}{_most(held['reach'])}"
    return [(f"{metric} %, {held['samples']} samples kept apart", f"{held['before']:.2f}", f"{held['after']:.2f}", change)]


def layer_rows(layers: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Form, time before and after, error and reason of each layer."""
    return [
        (
            layer["layer"],
            layer["form"],
            microseconds(layer["float_seconds"]),
            microseconds(layer["seconds"]),
            faster(layer["float_seconds"], layer["seconds"]),
            "-" if layer["error"] is None else f"{100 * layer['error']:.2f} %",
            layer["reason"],
        )
        for layer in layers
    ]


def _pair(before: float, after: float, factor: float, form: str, faster: bool = False) -> tuple[str, str, str]:
    less, more = ("faster", "slower") if faster else ("smaller", "larger")
    if not before or not after:
        change = "-"
    elif before == after:
        change = "the same"
    else:
        change = f"{before / after:.2f}x {less}" if before > after else f"{after / before:.2f}x {more}"
    return form.format(factor * before), form.format(factor * after), change
