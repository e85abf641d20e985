"""Integer operators against their meaning: dequantise, compute in float, quantise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value, numpy_dtype
from edgeopt.ops import infer_types
from tests.drawing import RNG


@dataclass(frozen=True)
class Grid:
    """Scale, zero point and element type of a tensor."""

    scale: float
    zero: int
    dtype: str = "uint8"

    @property
    def arrays(self) -> tuple[Array, Array]:
        """The inputs that describe the grid to an operator."""
        return np.array(self.scale, np.float32), np.array(self.zero, numpy_dtype(self.dtype))


def codes(dtype: str, *shape: int) -> Array:
    """Uniform codes over the whole range of ``dtype``."""
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max + 1, shape).astype(dtype)


def compare(result: Array, expected: Array) -> None:
    """At most one step of difference, on at most one element of a thousand."""
    difference = np.abs(result.astype(int) - expected.astype(int))
    assert result.shape == expected.shape and result.dtype == expected.dtype
    assert difference.max(initial=0) <= 1, f"differs by {difference.max()} at {np.argwhere(difference > 1)[:3].tolist()}"
    assert (difference > 0).mean() <= 0.001 or (difference > 0).sum() <= 1


def conv_graphs(
    x: Grid,
    shape: Sequence[int],
    w: Array,
    scale: Array,
    zero: Array,
    bias: Array | None,
    y: Grid,
    attributes: Mapping[str, Attribute],
    residual: Grid | None = None,
) -> tuple[Graph, Graph]:
    """The same convolution as one integer operator and as its meaning in standard operators."""
    plain = {k: v for k, v in attributes.items() if k not in ("activation", "alpha", "beta")}
    fused = Graph("fused", opsets={"": 21, "ai.edgeopt": 1})
    whole = Graph("whole", opsets={"": 21, "ai.edgeopt": 1})
    for graph in (fused, whole):
        graph.inputs = [Value("x", TensorType(x.dtype, tuple(shape)))]
    real = _dequantized(whole, whole.inputs[0], *x.arrays)
    weight = _dequantized(whole, whole.constant("w", w), scale, zero, axis=0)
    total = whole.make("Conv", [real, weight], [None], name="conv", attributes=plain).output
    if bias is not None:
        addend = (bias.astype(np.float64) * x.scale * scale).astype(np.float32).reshape(-1, 1, 1)
        total = whole.make("Add", [total, whole.constant("b", addend)], [None], name="bias").output
    infer_types(whole)
    assert total.type is not None
    if residual is not None:
        for graph in (fused, whole):
            graph.inputs.append(Value("r", TensorType(residual.dtype, total.type.dims)))
        total = whole.make("Add", [total, _dequantized(whole, whole.inputs[1], *residual.arrays)], [None], name="sum").output
    total = _activated(whole, total, attributes)
    made = whole.make("QuantizeLinear", [total, *_constants(whole, *y.arrays)], [None], name="q")
    whole.outputs = [made.output]
    infer_types(whole)
    inputs: list[Value | None] = [fused.inputs[0], *_constants(fused, *x.arrays), *_constants(fused, w, scale, zero)]
    inputs += [None if bias is None else fused.constant("b", bias), *_constants(fused, *y.arrays)]
    if residual is not None:
        inputs += [fused.inputs[1], *_constants(fused, *residual.arrays)]
    node = fused.make("QuantConv", inputs, [None], domain=OWN_DOMAIN, name="node", attributes=dict(attributes))
    node.output.type = TensorType(y.dtype, made.output.type.dims) if made.output.type else None
    fused.outputs = [node.output]
    return fused, whole


def _activated(graph: Graph, x: Value, attributes: Mapping[str, Attribute]) -> Value:
    kind = str(attributes.get("activation", ""))
    if not kind:
        return x
    if kind == "Clip":
        bounds = _constants(graph, *(np.array(attributes[k], np.float32) for k in ("alpha", "beta")))
        return graph.make("Clip", [x, *bounds], [None], name="act").output
    given = {k: v for k, v in attributes.items() if k in ("alpha", "beta")}
    return graph.make(kind, [x], [None], name="act", attributes=given).output


def _dequantized(graph: Graph, value: Value, scale: Array, zero: Array, axis: int = 1) -> Value:
    inputs: list[Value | None] = [value, *_constants(graph, scale, zero)]
    return graph.make("DequantizeLinear", inputs, [None], name=f"dq_{value.name}", attributes={"axis": axis}).output


def _constants(graph: Graph, *arrays: Array) -> list[Value]:
    return [graph.constant("c", a) for a in arrays]


def expected(graph: Graph, data: Mapping[str, Array]) -> Array:
    """The first output by the reference."""
    return next(iter(interpret(graph, dict(data)).values()))
