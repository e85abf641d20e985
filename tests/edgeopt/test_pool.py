"""Threads share the chunks of a step: each is run once, however many there are."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from edgeopt.codegen.build import build
from edgeopt.codegen.native import NativeModule
from edgeopt.codegen.pool import MOST_PIECES
from edgeopt.codegen.threads import WorkerPool
from edgeopt.ir import Graph, TensorType, Value
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.lower.lowering import lower
from edgeopt.ops import infer_types
from edgeopt.target import host

SIZES = (1, 2, 7, MOST_PIECES - 1, MOST_PIECES, MOST_PIECES + 1, 3 * MOST_PIECES + 5)


def _count(x: Any, y: Any, begin: int, end: int) -> None:
    for chunk in range(begin, end):
        x[chunk] += 1.0
        y[chunk] = x[chunk]


def _select(site: Site) -> tuple[KernelCall, ...]:
    return (KernelCall(_count, (Input(0), Output()), (), site.given(0).elements),)


def _steps() -> Graph:
    graph = Graph("steps", opsets={"": 21})
    graph.inputs = [Value(f"x{n}", TensorType("float32", (n,))) for n in SIZES]
    graph.outputs = [graph.make("Relu", [x], [None], name=f"step{x.name}").output for x in graph.inputs]
    infer_types(graph)
    return graph


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_chunk_is_run_once(workers: int) -> None:
    """A kernel that counts in its input would show a chunk that is left out, or that two threads run."""
    if workers and host().cores < 2:
        pytest.skip("this machine has one core")
    program = lower(_steps(), host(), "counted", [Kernel("count", ("Relu",), _select)])
    native = NativeModule(build(program, host()), "counted", host())
    counts, results = ([np.zeros(n, np.float32) for n in SIZES] for _ in range(2))
    tables = [(ctypes.c_void_p * len(SIZES))(*(a.ctypes.data for a in arrays)) for arrays in (counts, results)]
    context = (ctypes.c_void_p * 5)(*(ctypes.addressof(t) for t in tables), None, None, None)
    pool = WorkerPool(native, len(SIZES), workers)
    for run in range(1, 31):
        pool.wake()
        native.parallel(context, pool.address, 0, len(SIZES))
        for size, count, result in zip(SIZES, counts, results, strict=True):
            np.testing.assert_array_equal(count, np.full(size, run, np.float32))
            np.testing.assert_array_equal(result, count)
    pool.close()
