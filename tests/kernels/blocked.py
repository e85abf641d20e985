"""Graphs that hold one operator behind a 1x1 convolution, whose output lies blocked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value
from edgeopt.ops import infer_types
from tests.kernels.harness import uniform


def behind_convolution(
    op: str,
    shape: tuple[int, ...],
    constants: Sequence[Array | None] = (),
    attributes: Mapping[str, Attribute] | None = None,
    twice: bool = False,
    domain: str = "",
    opset: int = 21,
) -> Graph:
    """``op(conv(x), constants...)``, or with ``twice`` ``op(conv(x), other_conv(x))``."""
    graph = Graph("blocked", opsets={"": opset, OWN_DOMAIN: 1})
    graph.inputs = [Value("x", TensorType("float32", shape))]
    weights = [graph.constant("w", uniform(shape[1], shape[1], 1, 1)) for _ in range(1 + twice)]
    made = [graph.make("Conv", [graph.inputs[0], w], [None]).output for w in weights]
    after = [None if c is None else graph.constant("c", c) for c in constants]
    graph.outputs = [graph.make(op, [*made, *after], [None], domain=domain, attributes=attributes).output]
    infer_types(graph)
    return graph
