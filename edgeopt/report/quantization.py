"""The rows of the report on a quantised network: before and after, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeopt.report.times import faster, microseconds

Row = tuple[str, ...]
SUMMARY = ("", "before", "after", "change")
LAYERS = ("layer", "form", "float µs", "µs", "faster by", "error", "")


def summary_rows(record: Mapping[str, Any]) -> list[Row]:
    """Metric, agreement, latency, weights and RAM of the float network and of the result."""
    before, after = record["totals"]["float32"], record["totals"]["result"]
    rows: list[Row] = []
    if record["samples"]:
        change = record["after"] - record["before"]
        rows.append((f"{record['metric']} %", f"{record['before']:.2f}", f"{record['after']:.2f}", f"{change:+.2f} points"))
        rows += _apart(record.get("held"), record["metric"])
        rows.append(("decisions as in float %", "100.00", f"{record['agreement']:.2f}", ""))
    how = "measured" if after["measured"] else "estimated"
    rows.append((f"latency ms, {how}", *_pair(before["seconds"], after["seconds"], 1e3, "{:.4g}", faster=True)))
    if source := record["source_weights"]:
        rows.append(("weights kB, from the model to memory", *_pair(source, after["weights"], 1e-3, "{:,.1f}")))
    rows.append(("weights kB, both as kernels hold them", *_pair(before["weights"], after["weights"], 1e-3, "{:,.1f}")))
    rows.append(("activations kB", *_pair(before["ram"], after["ram"], 1e-3, "{:,.1f}")))
    return rows


def _apart(held: Mapping[str, Any] | None, metric: str) -> list[Row]:
    """The metric on samples that chose nothing."""
    if held is None:
        return []
    bound = "" if held["reach"] is None else f" (at most {held['reach']:.2f} lost, 95 %)"
    change = f"{held['after'] - held['before']:+.2f}{bound}"
    return [(f"{metric} %, {held['samples']} samples kept apart", f"{held['before']:.2f}", f"{held['after']:.2f}", change)]


def layer_rows(record: Mapping[str, Any]) -> list[Row]:
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
        for layer in record["layers"]
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
