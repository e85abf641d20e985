"""The rows of the report on a quantised network: before and after, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeopt.report.times import faster, microseconds

Row = tuple[str, ...]
SMALLER, FEWER, FASTER = ("smaller", "larger"), ("fewer", "more"), ("faster", "slower")  # less, and more of something
WORK = {"nodes": ("nodes", 1.0, "{:,.0f}"), "macs": ("multiply-accumulates, millions", 1e-6, "{:,.4g}")}
BOUNDS = {
    "latency": ("latency ms", 1e3),
    "size": ("code and weights kB", 1e-3),
    "memory": ("RAM kB", 1e-3),
    "energy": ("energy mJ", 1e3),
}
SUMMARY = ("", "before", "after", "change")
LAYERS = ("layer", "form", "float µs", "µs", "faster by", "error", "")


def summary_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Metric, agreement, work, latency, energy, weights and RAM before and after (``edgeopt.report.record.summary_of``)."""
    before, after = summary["before"], summary["after"]
    rows = _judged(summary) if summary.get("samples") else []
    for key, (name, factor, form) in WORK.items():
        rows += [(name, *_pair(before[key], after[key], factor, form, FEWER))] if before[key] and after[key] else []
    return [*rows, *_costs(summary), *_bounds(summary)] if "scheme" in summary else rows


def _bounds(summary: Mapping[str, Any]) -> list[Row]:
    """What is taken of each bound that was given."""
    rows = list[Row]()
    for name, found in summary.get("bounds", {}).items():
        title, factor = BOUNDS[name]
        share = f"{100 * found['takes'] / found['bound']:.0f} % of it"
        rows.append((f"{title}, bound {factor * found['bound']:,.6g}", "", f"{factor * found['takes']:,.6g}", share))
    return rows


def _costs(summary: Mapping[str, Any]) -> list[Row]:
    """Latency, energy where the cost model has it, weights and activations of one inference."""
    rows, before, after = list[Row](), summary["before"], summary["after"]
    how = "measured" if summary["measured"] else "estimated"
    rows.append((f"latency ms, {how}", *_pair(before["seconds"], after["seconds"], 1e3, "{:.4g}", FASTER)))
    if before["joule"] and after["joule"]:
        rows.append(("energy mJ, estimated", *_pair(before["joule"], after["joule"], 1e3, "{:.4g}")))
    for place, size in (("the file", after["stored"]), ("memory", after["weights"])):
        if before["stored"] and size:
            rows.append((f"weights kB, from the model to {place}", *_kilobytes(before["stored"], size)))
    rows.append(("weights kB, both as kernels hold them", *_kilobytes(before["weights"], after["weights"])))
    return [*rows, ("activations kB", *_kilobytes(before["ram"], after["ram"]))]


def _judged(summary: Mapping[str, Any]) -> list[Row]:
    """The metric on the samples that chose, and on those that chose nothing, with what may be lost; and equal decisions."""
    metric, held = summary["metric"], summary["held"]
    made = _metric(f"{metric} %", summary["before"]["right"], summary["after"]["right"], summary["reach"])
    if held is not None:
        made += _metric(f"{metric} %, {held['samples']} samples kept apart", held["before"], held["after"], held["reach"])
    return [*made, ("decisions as in float %", "100.00", f"{summary['agreement']:.2f}", "")]


def _metric(name: str, before: float, after: float, reach: float | None) -> list[Row]:
    """A metric, and the points of it that may be lost by the interval of 95 %, where it is known."""
    rows: list[Row] = [(name, f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f} points")]
    return rows if reach is None else [*rows, ("at most lost, 95 % sure", "", "", f"{reach:.2f} points")]


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


def _kilobytes(before: int, after: int) -> tuple[str, str, str]:
    return _pair(before, after, 1e-3, "{:,.1f}")


def _pair(before: float, after: float, factor: float, form: str, words: tuple[str, str] = SMALLER) -> tuple[str, str, str]:
    less, more = words
    if not before or not after:
        change = "-"
    elif before == after:
        change = "the same"
    else:
        change = f"{before / after:.2f}x {less}" if before > after else f"{after / before:.2f}x {more}"
    return form.format(factor * before), form.format(factor * after), change
