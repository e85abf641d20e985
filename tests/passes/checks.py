"""What every rewrite must satisfy: the numbers stay, the graph verifies, a second run changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import numpy as np

from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, numpy_dtype, verify
from edgeopt.rewrite import Context, Pass

TOLERANCE = 1e-4


def load_pass(name: str) -> Pass:
    """The pass of the file ``name``."""
    found = import_module(f"edgeopt.passes.{name}").PASS
    assert isinstance(found, Pass)
    return found


def feeds(graph: Graph, seed: int = 0) -> dict[str, Array]:
    """Random inputs of a graph; floats are normal, integers below 10."""
    generator, result = np.random.default_rng(seed), {}
    for value in graph.inputs:
        assert value.type is not None
        dtype, dims = numpy_dtype(value.type.dtype), value.type.dims
        wide = dtype.kind == "f"
        result[value.name] = (generator.standard_normal(dims) if wide else generator.integers(0, 10, dims)).astype(dtype)
    return result


def same_numbers(before: Mapping[str, Array], after: Mapping[str, Array], tolerance: float = TOLERANCE) -> None:
    """Assert equal names, shapes, types and numbers: floats within ``tolerance`` of the range, the rest exactly."""
    assert list(before) == list(after)
    for name, expected in before.items():
        actual = after[name]
        assert (expected.shape, expected.dtype) == (actual.shape, actual.dtype), name
        if expected.dtype.kind != "f" or not expected.size:
            assert np.array_equal(expected, actual), name
            continue
        finite = expected[np.isfinite(expected)]
        scale = max(float(np.abs(finite).max(initial=0.0)), 1e-3)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=name)


def keeps_numbers(graph: Graph, rewrite: Callable[[Graph, Context], int]) -> int:
    """Run ``rewrite`` and assert all that a rewrite promises; returns how often it fired."""
    data = feeds(graph)
    before, fired = interpret(graph, data), rewrite(graph, Context())
    verify(graph)
    same_numbers(before, interpret(graph, data))
    text = str(graph)
    assert rewrite(graph, Context()) == 0, "a second run fires again"
    assert str(graph) == text
    return fired


def before_and_after(graph: Graph, name: str) -> str:
    """The golden text: the graph before and after the pass ``name``."""
    before = str(graph)
    load_pass(name)(graph)
    return f"{before}\n\n--- after {name} ---\n\n{graph}"


def reasons(graph: Graph, name: str) -> list[str]:
    """Why the pass ``name``, which must not fire, leaves the nodes of ``graph`` alone."""
    context = Context()
    data = feeds(graph)
    before = interpret(graph, data)
    assert load_pass(name)(graph, context) == 0
    same_numbers(before, interpret(graph, data), 0.0)
    return [reason for _, _, reason in context.declined]
