"""Compiles a graph of one node with a given kernel and compares it with the node's meaning."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.codegen.native import NativeModule
from edgeopt.codegen.threads import WorkerPool
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Attribute, Graph, TensorType, Value, numpy_dtype
from edgeopt.kernels.call import Kernel
from edgeopt.lower.lowering import lower
from edgeopt.lower.memory import aligned_bytes
from edgeopt.ops import infer_types
from edgeopt.target import Target, target
from tests.drawing import RNG
from tests.kernels.back_end import build


def uniform(*shape: int) -> Array:
    """Floats in [-1, 1)."""
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def single(
    op: str,
    data: Mapping[str, Array],
    constants: Sequence[Array | None] = (),
    attributes: Mapping[str, Attribute] | None = None,
    domain: str = "",
    extra: Sequence[Array] = (),
) -> Graph:
    """A graph of one node: inputs from ``data`` first, then ``constants``; ``extra`` are names of data after the constants."""
    graph = Graph("single", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value(n, TensorType(a.dtype.name, a.shape)) for n, a in data.items()]
    late = {id(a) for a in extra}
    first = [v for v, a in zip(graph.inputs, data.values(), strict=True) if id(a) not in late]
    after = [v for v, a in zip(graph.inputs, data.values(), strict=True) if id(a) in late]
    middle = [None if c is None else graph.constant("c", c) for c in constants]
    node = graph.make(op, [*first, *middle, *after], [None], domain=domain, name="node", attributes=attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph


def run(
    graph: Graph, data: Mapping[str, Array], table: Sequence[Kernel], where: Target | str = "host", by_chunks: bool = False
) -> Array:
    """The first output, computed with the kernels of ``table`` only, each step in one go or in pieces."""
    facts = target(where) if isinstance(where, str) else where
    program = lower(graph, facts, "single", table)
    assert not program.fallbacks, [f.reason for f in program.fallbacks]
    native = NativeModule(build(program, facts), "single", facts)
    arena, constants, scratch = (aligned_bytes(n) for n in (program.arena_bytes, len(program.weights), program.scratch_bytes))
    ctypes.memmove(constants[1], bytes(program.weights), len(program.weights))
    ctypes.memset(arena[1], 0xFF, program.arena_bytes)
    made = [_unset(v.type) for v in graph.outputs if v.type is not None]
    inputs = (ctypes.c_void_p * len(data))(*(a.ctypes.data for a in data.values()))
    outputs = (ctypes.c_void_p * len(made))(*(a.ctypes.data for a in made))
    context = (ctypes.c_void_p * 5)(*(ctypes.addressof(v) for v in (inputs, outputs)), arena[1], constants[1], scratch[1])
    if by_chunks:
        pool = WorkerPool(native, len(program.native), 0)
        native.parallel(context, pool.address, 0, len(program.native))
    else:
        native.steps(context, 0, len(program.native))
    return made[0]


def _unset(type_: TensorType) -> Array:
    """An array whose bytes are all ones: not a number in float."""
    bits = np.full(int(np.prod(type_.dims)) * numpy_dtype(type_.dtype).itemsize, 255, np.uint8)
    return bits.view(numpy_dtype(type_.dtype)).reshape(type_.dims)


def check(
    graph: Graph, data: Mapping[str, Array], table: Sequence[Kernel], where: Target | str = "host", tolerance: float = 1e-5
) -> None:
    """Compare with the graph's meaning, relative to the range of the result, in one go and in pieces."""
    expected = next(iter(interpret(graph, dict(data)).values()))
    scale = float(np.nanmax(np.abs(expected))) or 1.0
    for by_chunks in (False, True):
        result = run(graph, data, table, where, by_chunks)
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)
