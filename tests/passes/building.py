"""What the patterns of the passes are built with."""

from __future__ import annotations

from typing import Any

from edgeopt.ir import Graph, Value
from edgeopt.ir.match import shape_of
from tests.strategies import Draft, Seeded

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def shape(value: Value) -> tuple[int, ...]:
    """The static shape."""
    dims = shape_of(value)
    assert dims is not None
    return dims


def _axes(draft: Draft, *axes: int) -> tuple[list[Value], dict[str, Any]]:
    """Axes of a reduction as the opset takes them: (inputs, attributes)."""
    return ([draft.ints(*axes)], {}) if draft.graph.opset >= 18 else ([], {"axes": axes})


def mean(draft: Draft, x: Value, *axes: int, keepdims: int = 1) -> Value:
    """ReduceMean over ``axes``."""
    inputs, attributes = _axes(draft, *axes)
    return draft.op("ReduceMean", x, *inputs, keepdims=keepdims, **attributes)


def per_channel(draft: Draft, x: Value, low: float = 0.5, high: float = 2.0) -> Value:
    """A constant [C, 1, 1], or a number."""
    return draft.weight(*draft.choice.pick([(shape(x)[1], 1, 1), ()]), low=low, high=high)


def sketch(opset: int = 13) -> tuple[Draft, Value]:
    """An empty draft with one input [1, 3, 6, 5], for graphs written out by hand."""
    draft = Draft(Seeded(0), opset)
    return draft, draft.input((1, 3, 6, 5))


def closed(draft: Draft, *outputs: Value) -> Graph:
    """The graph of ``draft`` with these outputs."""
    draft.graph.outputs = list(outputs)
    return draft.graph


def rounded(draft: Draft, x: Value, scale: float = 0.02, zero: int = 100, dtype: str = "uint8") -> Value:
    """``x`` through QuantizeLinear and DequantizeLinear, as ``dtype``."""
    grid = draft.constant(scale), draft.constant(zero, dtype)
    return draft.op("DequantizeLinear", draft.op("QuantizeLinear", x, *grid), *grid)
