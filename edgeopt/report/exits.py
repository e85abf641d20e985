"""The rows of the report on early exits: where samples leave, how many of them are right, and what an inference takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = tuple[str, ...]
EXITS = ("leaves at", "MACs %", "samples %", "right %")
LATENCY = ("µs", "mean", "50 %", "95 %", "99 %")
NAMES = {"plain": "without exits", "with_exits": "with exits"}


def exit_rows(record: Mapping[str, Any]) -> list[Row]:
    """One for each exit, and the end; on samples that chose nothing."""
    seen, depths = record["reported"], [*(e["depth"] for e in record["exits"]), record["end"]]
    names = [*(f"exit {number}{_behind(e['value'])}" for number, e in enumerate(record["exits"])), "the end"]
    rows = zip(names, depths, seen["shares"], seen["accuracies"], strict=True)
    return [(name, f"{100 * depth:.1f}", f"{100 * share:.1f}", f"{right:.2f}") for name, depth, share, right in rows]


def _behind(value: str) -> str:
    """The value behind which samples leave; one that a pass named says nothing to a reader."""
    return "" if "~" in value else f", behind {value}"


def latency_rows(latency: Mapping[str, Any]) -> list[Row]:
    """Microseconds of an inference: the mean of all samples, percentiles of single ones."""
    return [
        (label, *(f"{1e6 * s:,.1f}" for s in (latency[key]["mean"], *latency[key]["percentiles"])))
        for key, label in NAMES.items()
    ]


def sentence(record: Mapping[str, Any]) -> str:
    """One line: the threshold, and what it does to samples that chose nothing."""
    seen, limit = record["reported"], f"{record['confidence']}, threshold {record['threshold']:.4f}"
    return (
        f"{limit}: {record['before']:.2f} % -> {seen['accuracy']:.2f} % on samples that chose nothing "
        f"(bound where it was chosen: {record['chosen']['bound']:.2f} points), "
        f"{100 * seen['macs']:.1f} % of the multiply-accumulates"
    )
