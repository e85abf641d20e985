"""The vector emitter's operations, each in a kernel of its own, against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from llvmlite import ir

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.emitter import I8, Emitter, Value
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.emit.vector_math import exp
from edgeopt.target import target
from tests.kernels.harness import run, single, uniform

TARGETS = [name for name in ("host", "x86-64-v4", "x86-64-v3") if target(name).runs_here]
Emit = Callable[[Emitter, Value, Value], None]


def computed(where: str, name: str, emit: Emit, x: Array) -> Array:
    """What ``emit(emitter, x, y)`` makes of ``x``; the output has the shape of the input."""

    def select(site: Site) -> tuple[KernelCall, ...]:
        function = vector_function(site.target, 2, emit)

        def kernel(x: object, y: object, begin: int, end: int) -> None:
            function(x, y)

        return (KernelCall(kernel, (Input(0), Output()), (), 1),)

    return run(single("Neg", {"x": x}), {"x": x}, [Kernel("probe", ("Neg",), select)], where)


@pytest.mark.parametrize("where", TARGETS)
def test_exp(where: str) -> None:
    lanes = target(where).lanes
    x = np.linspace(-86, 87, lanes).astype(np.float32)
    got = computed(where, "exp", lambda e, x, y: e.store(exp(e, e.load(x)), y), x)
    np.testing.assert_allclose(got, np.exp(x.astype(np.float64)), rtol=3e-7)


@pytest.mark.parametrize("where", TARGETS)
def test_exp_is_clamped(where: str) -> None:
    x = np.full(target(where).lanes, -1e30, np.float32)
    x[1] = 1e30
    got = computed(where, "exp", lambda e, x, y: e.store(exp(e, e.load(x)), y), x)
    assert np.isfinite(got).all() and got[0] < 1e-37 and got[1] > 1e38


@pytest.mark.parametrize("where", TARGETS)
@pytest.mark.parametrize("count", [1, 3, 7])
def test_partial_load_and_store(where: str, count: int) -> None:
    x = uniform(target(where).lanes)

    def emit(e: Emitter, x: Value, y: Value) -> None:
        e.store(e.constant(5.0), y)
        e.store_first(e.load_first(x, count), y, count + 1)

    expected = np.where(np.arange(x.size) < count, x, np.where(np.arange(x.size) == count, 0, 5))
    np.testing.assert_array_equal(computed(where, f"partial{count}", emit, x), expected)


@pytest.mark.parametrize("where", TARGETS)
def test_transpose(where: str) -> None:
    lanes = target(where).lanes
    x = uniform(lanes, lanes)

    def emit(e: Emitter, x: Value, y: Value) -> None:
        for i, row in enumerate(e.transpose([e.load(x, i * lanes) for i in range(lanes)])):
            e.store(row, y, i * lanes)

    np.testing.assert_array_equal(computed(where, "transpose", emit, x), x.T)


@pytest.mark.parametrize("where", TARGETS)
def test_reduce_add_and_extremes(where: str) -> None:
    x = uniform(target(where).lanes)

    def emit(e: Emitter, x: Value, y: Value) -> None:
        value = e.load(x)
        e.store(e.splat(e.reduce_add(e.maximum(e.constant(0.0), e.minimum(e.constant(0.5), value)))), y)

    np.testing.assert_allclose(computed(where, "reduce", emit, x), np.clip(x, 0, 0.5).sum(), rtol=1e-6)


@pytest.mark.parametrize("where", TARGETS)
def test_dot4_is_exact_at_the_limits(where: str) -> None:
    lanes = target(where).lanes
    rng = np.random.default_rng(3)
    unsigned, signed = rng.integers(0, 256, 4 * lanes, np.uint8), rng.integers(-128, 128, 4 * lanes).astype(np.int8)
    unsigned[:8], signed[:4], signed[4:8] = 255, -128, 127
    x = np.concatenate([unsigned.view(np.float32), signed.view(np.float32)])

    def emit(e: Emitter, x: Value, y: Value) -> None:
        kind = ir.VectorType(I8, 4 * lanes)
        total = e.dot4(e.integers(7), e.load_as(kind, x), e.load_as(kind, x, lanes))
        e.store(total, y)
        e.store(e.constant(0.0), y, lanes)

    expected = 7 + (unsigned.astype(int) * signed.astype(int)).reshape(-1, 4).sum(1)
    np.testing.assert_array_equal(computed(where, "dot4", emit, x)[:lanes].view(np.int32), expected)


@pytest.mark.parametrize("where", TARGETS)
def test_lookup(where: str) -> None:
    lanes = target(where).lanes
    rng = np.random.default_rng(4)
    table, index = np.tile(rng.integers(0, 120, 16, np.uint8), lanes // 4), rng.integers(0, 16, 4 * lanes, np.uint8)
    x = np.concatenate([table.view(np.float32), index.view(np.float32)])

    def emit(e: Emitter, x: Value, y: Value) -> None:
        kind = ir.VectorType(I8, 4 * lanes)
        e.store(e.lookup(e.load_as(kind, x), e.load_as(kind, x, lanes)), y)
        e.store(e.constant(0.0), y, lanes)

    np.testing.assert_array_equal(computed(where, "lookup", emit, x)[:lanes].view(np.uint8), table[index])
