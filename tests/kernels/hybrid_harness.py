"""Graphs of one HybridConv or HybridGemm with random weights in few bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, TensorType, Value, numpy_dtype
from edgeopt.ops import infer_types
from tests.drawing import RNG
from tests.kernels.harness import uniform

KINDS = ("float16", "int8", "int4", "int2", "binary")
RANGES = {"int8": (-127, 127), "int4": (-8, 7), "int2": (-1, 1)}


def weights(kind: str, *shape: int) -> Array:
    """Random weights: codes over the whole range of ``kind``, or halves with some below 2^-14."""
    if kind == "float16":
        made = uniform(*shape)
        made.reshape(-1)[::5] *= 1e-5
        return made.astype(np.float16)
    if kind == "binary":
        return (RNG.integers(0, 2, shape) * 2 - 1).astype(numpy_dtype("int2"))
    low, high = RANGES[kind]
    return RNG.integers(low, high + 1, shape).astype(numpy_dtype(kind))


def hybrid(
    op: str,
    shape: tuple[int, ...],
    codes: Array,
    attributes: Mapping[str, Attribute] | None = None,
    residual: tuple[int, ...] = (),
    per_channel: bool = True,
) -> tuple[Graph, dict[str, Array]]:
    """The graph of one operator with a bias, and random data for it."""
    graph = Graph("single", opsets={"": 25, OWN_DOMAIN: 1})
    graph.inputs = [
        Value("x", TensorType("float32", shape)),
        *([Value("r", TensorType("float32", residual))] if residual else []),
    ]
    outputs = codes.shape[1 if op == "HybridGemm" else 0]
    scale = RNG.uniform(0.01, 0.02, outputs if per_channel else ()).astype(np.float32)
    stored = [graph.constant("w", codes), None if codes.dtype == np.float16 else graph.constant("s", scale)]
    inputs = [graph.inputs[0], *stored, graph.constant("b", uniform(outputs)), *graph.inputs[1:]]
    node = graph.make(op, inputs, [None], domain=OWN_DOMAIN, name="node", attributes=attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph, {v.name: uniform(*v.type.dims) for v in graph.inputs if v.type is not None}
