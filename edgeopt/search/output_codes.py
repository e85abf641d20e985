"""Outputs that a quantised network computes in float become codes of 8 bits, where a firmware asks for codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet, admit, fitted, read
from edgeopt.evaluate.observe import observe
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Graph, Value
from edgeopt.ir.match import dtype_of

LOW, HIGH = -128, 127
MOST = 512  # samples that are looked at
# scale and zero point of operators whose results are bounded
BOUNDED = {"Softmax": (1 / 256, LOW), "Sigmoid": (1 / 256, LOW), "HardSigmoid": (1 / 256, LOW), "Tanh": (1 / 128, 0)}


def code_outputs(graph: Graph, data: DataSet | str | Path | None) -> None:
    """Round float outputs of ``graph`` to int8, by the range they have on ``data``; without data only those with bounds.

    Networks without integers stay as they are. A note says on how many samples that changes the decision. Raises EdgeoptError
    for data that do not fit the graph.
    """
    if not any(node.op.startswith("Quant") for node in graph.nodes):
        return
    wanted = [v for v in graph.outputs if _in_float(v)]
    seen = _observed(graph, [v.name for v in wanted], data)
    for value in wanted:
        assert value.producer is not None
        found = BOUNDED.get(value.producer.op) or _grid(seen.get(value.name))
        if found is not None:
            name = value.name
            _round(graph, value, *found)
            add_note(graph, _about(name, *found, seen.get(name)))


def _in_float(value: Value) -> bool:
    node = value.producer
    return node is not None and dtype_of(value) == "float32" and not node.is_op("DequantizeLinear") and not value.uses


def _observed(graph: Graph, names: list[str], data: DataSet | str | Path | None) -> dict[str, Array]:
    if data is None or not names:
        return {}
    known = read(data, graph) if isinstance(data, (str, Path)) else admit(data, graph)
    return dict(observe(graph, names, fitted(known.take(slice(0, MOST)), graph)))


def _grid(seen: Array | None) -> tuple[float, int] | None:
    """Scale and zero point of the range of some numbers, 0 included; None where there is none."""
    if seen is None or not seen.size or not np.isfinite(seen).all():
        return None
    low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
    scale = float(np.float32((high - low) / (HIGH - LOW)))
    return (scale, int(np.clip(round(LOW - low / scale), LOW, HIGH))) if scale > 0 else None


def _round(graph: Graph, value: Value, scale: float, zero: int) -> None:
    grid = [graph.constant("scale", np.asarray(scale, np.float32)), graph.constant("zero", np.asarray(zero, np.int8))]
    assert value.type is not None
    coded = graph.make("QuantizeLinear", [value, *grid], [type(value.type)("int8", value.type.dims)], name="output_codes")
    real = graph.make("DequantizeLinear", [coded.output, *grid], [value.type], name="output_reals")
    graph.replace(value, real.output)
    coded.set_input(0, value)


def _about(name: str, scale: float, zero: int, seen: Array | None) -> str:
    text = f"'{name}' is rounded to codes of int8, (code {'+' if zero < 0 else '-'} {abs(zero)}) * {scale:.4g}"
    if seen is None or seen.ndim < 2:
        return text
    codes = np.clip(np.rint(seen / np.float32(scale)) + zero, LOW, HIGH)
    count = int((metrics.decisions(seen) != metrics.decisions(codes)).sum())
    return f"{text}, which changes {count} of {len(seen)} decisions"
