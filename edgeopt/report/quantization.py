"""The rows of the report on a quantised network: before and after, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeopt.report.times import faster, microseconds

Row = tuple[str, ...]
SUMMARY = ("", "float", "compiled", "ratio")
LAYERS = ("layer", "form", "float µs", "µs", "faster by", "error", "")


def summary_rows(record: Mapping[str, Any]) -> list[Row]:
    """Metric, agreement, latency, weights and RAM of the float network and of the result."""
    before, after = record["totals"]["float32"], record["totals"]["result"]
    rows: list[Row] = []
    if record["samples"]:
        change = record["after"] - record["before"]
        rows.append((f"{record['metric']} %", f"{record['before']:.2f}", f"{record['after']:.2f}", f"{change:+.2f}"))
        rows += _apart(record.get("held"), record["metric"])
        rows.append(("decisions as in float %", "100.00", f"{record['agreement']:.2f}", ""))
    how = "measured" if after["measured"] else "estimated"
    rows.append((f"latency ms, {how}", *_pair(before["seconds"], after["seconds"], 1e3, "{:.4g}", faster=True)))
    rows.append(_weights(before["weights"], after["weights"], record["source_weights"]))
    rows.append(("activations kB", *_pair(before["ram"], after["ram"], 1e-3, "{:,.1f}")))
    return rows


def _apart(held: Mapping[str, Any] | None, metric: str) -> list[Row]:
    """The metric on samples that chose nothing."""
    if held is None:
        return []
    bound = "" if held["reach"] is None else f" (at most {held['reach']:.2f} lost, 95 %)"
    change = f"{held['after'] - held['before']:+.2f}{bound}"
    return [(f"{metric} %, {held['samples']} samples kept apart", f"{held['before']:.2f}", f"{held['after']:.2f}", change)]


def _weights(before: int, after: int, source: int) -> Row:
    """In memory; the ratio is to the constants of the model, since Winograd makes those of a float network larger."""
    ratio = f"{after / source:.3f}x" if source else "-"
    return f"weights kB, model {1e-3 * source:,.1f}", f"{1e-3 * before:,.1f}", f"{1e-3 * after:,.1f}", ratio


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
    if not before or not after:
        ratio = "-"
    elif faster:
        ratio = f"{before / after:.2f}x faster" if before >= after else f"{after / before:.2f}x slower"
    else:
        ratio = f"{after / before:.3f}x"
    return form.format(factor * before), form.format(factor * after), ratio
