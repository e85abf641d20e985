"""Kernels whose TIR is written from their own functions: numba's rules of arithmetic, vector code, and what TIR cannot say."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from edgeopt.codegen.backends import Backend, find_backend
from edgeopt.codegen.native import NativeModule
from edgeopt.codegen.tvm_spelling import spelled_out
from edgeopt.ir import Array
from edgeopt.kernels.call import Input, KernelCall, Output
from edgeopt.kernels.emit.emitter import F32, I8, Emitter, Value
from edgeopt.kernels.emit.exact import exactly
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.lower.program import Binding, Place, Program, Step, WeightBlock
from edgeopt.target import target

HOST = target("host")


@pytest.fixture(scope="module")
def tvm() -> Backend:
    pytest.importorskip("tvm")
    return find_backend("tvm")


def small(functions: Sequence[Callable[..., None]], x: Array, y: Array, constants: Sequence[int | float] = ()) -> Program:
    """A step ``function(x, y, 0, 4, constants...)`` for each function."""
    ends, kinds = (Place("input", 0), Place("output", 0)), (x.dtype.name, y.dtype.name)
    calls = [KernelCall(function, (Input(0), Output(0)), tuple(constants), 4) for function in functions]
    steps = [Step(call, ends, kinds, "node", "Test", (x.nbytes, y.nbytes)) for call in calls]
    inputs, outputs = [Binding("x", None, ends[0])], [Binding("y", None, ends[1])]
    return Program("small", [*steps], inputs, outputs, 64, 64, 0, WeightBlock())


def left(backend: Backend, program: Program, x: Array, y: Array) -> Array:
    """What the steps of a ``program`` leave in y."""
    native, made = NativeModule(backend.build(program, HOST), "small", HOST), y.copy()
    given, taken, room = (ctypes.c_void_p * 1)(x.ctypes.data), (ctypes.c_void_p * 1)(made.ctypes.data), (ctypes.c_uint8 * 256)()
    context = (ctypes.c_void_p * 5)(*(ctypes.addressof(v) for v in (given, taken, room, room, room)))
    native.steps(context, 0, len(program.native))
    return made


def results(backend: Backend, function: Callable[..., None], x: Array, y: Array, constants: Sequence[int | float] = ()) -> Array:
    """What ``function(x, y, 0, 4, constants...)`` leaves in y; all of it is TIR where ``backend`` is TVM's."""
    program = small([function], x, y, constants)
    record = backend.record(program, HOST)
    assert record["own"] == 1, record
    return left(backend, program, x, y)


def _widens(x: Any, y: Any, begin: int, end: int) -> None:
    for i in range(begin, end):
        total = 0
        for j in range(i + 1):
            total = total + x[j] * np.float32(0.5)
        y[i] = total


def _rounds_down(x: Any, y: Any, begin: int, end: int, by: int) -> None:
    for i in range(begin, end):
        y[2 * i], y[2 * i + 1] = x[i] // by, x[i] % by


def _overflows(x: Any, y: Any, begin: int, end: int) -> None:
    for i in range(begin, end):
        y[i] = x[i] * x[i] + x[i] if x[i] > 100 and x[i] < 250 else -x[i] >> 1


@inline
def _early(p: Any, i: Any, limit: Any) -> Any:
    if i >= limit:
        return np.float32(-1)
    if p[i] < 0:
        return p[i] / np.float32(3)
    return p[i]


def _leaves(x: Any, y: Any, begin: int, end: int, limit: int) -> None:
    for i in range(begin, end):
        if x[i] == 0:
            y[i] = 7
            continue
        y[i] = _early(x, i, limit)


def _moves(x: Any, y: Any, begin: int, end: int) -> None:
    here = offset(x, begin)
    for i in range(begin, end, 2):
        y[i], y[i + 1] = here[1], here[0]
        here = offset(here, 2)


@pytest.mark.parametrize(
    ("function", "x", "y", "constants"),
    [
        (_widens, np.array([1, 2, 3, 4], np.float32), np.zeros(4, np.float64), ()),
        (_rounds_down, np.array([-7, 7, -6, 0], np.int32), np.zeros(8, np.int32), (3,)),
        (_rounds_down, np.array([-7, 7, -6, 1], np.int64), np.zeros(8, np.int64), (-3,)),
        (_overflows, np.array([3, 255, 200, 101], np.uint8), np.zeros(4, np.int32), ()),
        (_overflows, np.array([3, -128, 120, 101], np.int8), np.zeros(4, np.int32), ()),
        (_leaves, np.array([0, -3, 5, 6], np.float32), np.zeros(4, np.float32), (3,)),
        (_moves, np.array([1, 2, 3, 4], np.int16), np.zeros(4, np.int16), ()),
    ],
)
def test_scalars_follow_the_rules_of_numba(
    tvm: Backend, function: Callable[..., None], x: Array, y: Array, constants: Sequence[int]
) -> None:
    np.testing.assert_array_equal(
        results(tvm, function, x, y, constants), results(find_backend("numba"), function, x, y, constants)
    )


def _breaks(x: Any, y: Any, begin: int, end: int) -> None:
    for i in range(begin, end):
        if x[i] < 0:
            break
        y[i] = x[i] + y[i]


def _doubles(x: Any, y: Any, begin: int, end: int) -> None:
    for i in range(begin, end):
        y[i] = x[i] * np.float32(2)


def test_a_kernel_without_tir_stays_numbas_in_the_same_object_and_is_named(
    tvm: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = np.array([1, 2, -3, 4], np.float32), np.zeros(4, np.float32)
    program = small([_doubles, _breaks], x, y)
    with caplog.at_level("INFO", logger="edgeopt"):
        record = tvm.record(program, HOST)
    assert (record["steps"], record["own"], record["translated"]) == (2, 1, 1)
    assert record["rest"] == {"test_tvm_translated._breaks": 1}
    assert "_breaks has no TIR: it has the statement 'Break'" in caplog.text
    np.testing.assert_array_equal(left(tvm, program, x, y), [3, 6, -6, 8])


def _vectors(emit: Callable[[Emitter, Value, Value], None]) -> Callable[..., None]:
    run = vector_function(HOST, 2, emit)

    def kernel(x: Any, y: Any, begin: int, end: int) -> None:
        run(offset(x, begin), offset(y, begin))

    return kernel


def _rounded_apart(e: Emitter, x: Value, y: Value) -> None:
    """The rounding of x * x where product and difference are contracted, else zero."""
    exact, value = exactly(e), e.load(x)
    e.store(exact.sub(exact.mul(value, value), exact.mul(value, value)), y)


def _carries(e: Emitter, x: Value, y: Value) -> None:
    def turn(i: Value, here: Value, total: Value) -> list[Value]:
        return [e.at(here, e.lanes), e.add(total, e.load(here))]

    e.store(e.loop(3, [x, e.constant(1.0)], turn)[1], y)


def _first_lanes(e: Emitter, x: Value, y: Value) -> None:
    e.store(e.constant(-5.0), y)
    e.store_first(e.load_first(x, 1), y, 1)


def _dots(e: Emitter, x: Value, y: Value) -> None:
    codes, weights = (e.builder.bitcast(e.load(x, place), ir.VectorType(I8, 4 * e.lanes)) for place in (0, e.lanes))
    e.store(e.builder.sitofp(e.dot4(e.integers(3), codes, weights), e.vector), y)


def _repeats(e: Emitter, x: Value, y: Value) -> None:
    pair = e.load_as(ir.VectorType(F32, 2), x)
    e.store(e.shuffle(pair, pair, [i % 2 for i in range(e.lanes)]), y)


@pytest.mark.parametrize("emit", [_rounded_apart, _carries, _first_lanes, _dots, _repeats])
def test_vector_code_is_the_same(tvm: Backend, emit: Callable[[Emitter, Value, Value], None]) -> None:
    x = np.random.default_rng(3).uniform(-2, 2, 4 * HOST.lanes).astype(np.float32)
    y, kernel = np.zeros(HOST.lanes, np.float32), _vectors(emit)
    made = results(tvm, kernel, x, y)
    np.testing.assert_array_equal(made, results(find_backend("numba"), kernel, x, y))
    assert np.any(made) == (emit is not _rounded_apart)


def test_what_tir_cannot_say_is_spelled_out() -> None:
    text = """declare <4 x float> @written.fadd.float32x4(<4 x float>, <4 x float>)

declare void @written.llvm.prefetch.p0(ptr, i32, i32, i32)

  %v = call reassoc nsz contract <4 x float> @written.fadd.float32x4(<4 x float> %a, <4 x float> splat (float 1.0))
  %w = add nsw <4 x i32> %c, %d
  %i = add nsw i64 %e, 1
  call void @written.llvm.prefetch.p0(ptr %p, i32 0, i32 2, i32 1)
for_next_kept1:                                   ; preds = %for_body_kept1
  %n = add nsw i64 %kept1, 1
  br label %for_begin_kept1
"""
    made = spelled_out(text)
    assert "%v = fadd nsz <4 x float> %a, splat (float 1.0)" in made
    assert "%w = add <4 x i32>" in made and "%i = add nsw i64" in made
    assert "declare void @llvm.prefetch.p0(" in made and "call void @llvm.prefetch.p0(" in made and "@written" not in made
    assert "br label %for_begin_kept1, !llvm.loop !1" in made and "!1 = distinct !{!1, !0}" in made
