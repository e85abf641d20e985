"""Compiles a graph of one node with the kernels of one module, runs it on the host and compares every output with its meaning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import ModuleType

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute, Graph, TensorType, Value
from edgeopt.kernels.call import Kernel
from edgeopt.lower.lowering import lower
from edgeopt.ops import evaluate, infer_types
from edgeopt.runtime.manifest import describe
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import CODE
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.target import target
from tests.kernels.back_end import build


def kernels(*modules: ModuleType) -> tuple[Kernel, ...]:
    """The kernels of ``modules``, in order."""
    return tuple(kernel for module in modules for kernel in getattr(module, "KERNELS", None) or (module.KERNEL,))


def one_node(
    op: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, Attribute] | None = None,
    constant: Collection[int] = (),
    outputs: int = 1,
    opset: int = 21,
    domain: str = "",
) -> Graph:
    """A graph of one node; the inputs listed in ``constant`` are constants, None is left out."""
    graph = Graph("one", opsets={"": opset, "ai.edgeopt": 1})
    values: list[Value | None] = []
    for index, array in enumerate(inputs):
        if array is None:
            values.append(None)
        elif index in constant:
            values.append(graph.constant(f"c{index}", array))
        else:
            values.append(Value(f"x{index}", TensorType(array.dtype.name, array.shape)))
    graph.inputs = [v for v in values if v is not None and not v.is_constant]
    node = graph.make(op, values, [None] * outputs, domain=domain, name="node", attributes=attributes)
    graph.outputs = list(node.outputs)
    infer_types(graph)
    return graph


def compiled(graph: Graph, table: Sequence[Kernel]) -> CompiledModel:
    """``graph`` compiled for the host with the kernels of ``table`` only; a node they decline fails the test."""
    facts = target("host")
    program = lower(graph, facts, "edgeopt_model", table)
    assert not program.fallbacks, [f.reason for f in program.fallbacks]
    files: dict[str, bytes | memoryview] = {WEIGHTS: program.weights, CODE: build(program, facts)}
    return CompiledModel(describe(graph, program, facts, 0, {}), files, graph)


def agree(
    module: ModuleType,
    op: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, Attribute] | None = None,
    constant: Collection[int] = (),
    outputs: int = 1,
    opset: int = 21,
    expected: Sequence[Array] | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    threads: int = 1,
) -> None:
    """Integers must be equal, floats within the tolerances. ``expected`` replaces the reference where that has no answer."""
    graph = one_node(op, inputs, attributes, constant, outputs, opset)
    wanted = expected if expected is not None else evaluate(graph.nodes[0], inputs)
    for value, array in zip(graph.outputs, wanted, strict=True):
        if expected is not None or value.type is None or not value.type.static:
            value.type = TensorType(array.dtype.name, array.shape)
    data = {v.name: a for v, a in _fed(graph, inputs)}
    results = compiled(graph, kernels(module)).run(data, threads)
    for value, array in zip(graph.outputs, wanted, strict=True):
        got = results[value.name]
        assert got.dtype == array.dtype and got.shape == array.shape
        if array.dtype.kind in "iub":
            np.testing.assert_array_equal(got, array)
        else:
            np.testing.assert_allclose(got.astype(np.float64), array.astype(np.float64), rtol=rtol, atol=atol)


def same_bits(
    module: ModuleType,
    op: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, Attribute] | None = None,
    outputs: int = 1,
) -> None:
    """Two threads, which share the chunks otherwise in each of many runs, give the bits of one; ``module`` has the kernel."""
    graph = one_node(op, inputs, attributes, (), outputs, 21)
    model, data = compiled(graph, kernels(module)), {v.name: a for v, a in _fed(graph, inputs)}
    alone = model.run(data)
    for _ in range(100):
        for name, array in model.run(data, 2).items():
            np.testing.assert_array_equal(array, alone[name])


def _fed(graph: Graph, inputs: Sequence[Array | None]) -> list[tuple[Value, Array]]:
    pairs = zip(graph.nodes[0].inputs, inputs, strict=True)
    return [(v, a) for v, a in pairs if v is not None and a is not None and not v.is_constant]


def declined(module: ModuleType, graph: Graph) -> str:
    """The reason why the kernels of ``module`` do not serve the node of ``graph``."""
    program = lower(graph, target("host"), "edgeopt_model", kernels(module))
    if not program.fallbacks:
        pytest.fail("the node was served")
    return program.fallbacks[0].reason


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> Array:
    """Normally distributed numbers, the same in every run."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def integers(*shape: int, low: int = -9, high: int = 9, dtype: str = "int64", seed: int = 0) -> Array:
    """Integers in [low, high), the same in every run."""
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


def int64(*values: int) -> Array:
    """A vector of int64."""
    return np.array(values, np.int64)
