"""What one core of this machine can do: multiply-adds per second and bytes read per second, by kernels of the same emitter."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Any

import numpy as np

from edgeopt.codegen.build import emit, link
from edgeopt.codegen.native import NativeModule
from edgeopt.kernels.call import KernelCall, Output, Packed
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.lower.memory import aligned_bytes
from edgeopt.lower.program import Place, Program, Step, WeightBlock
from edgeopt.target import Target

TURNS = 20_000
ROUNDS = 40
LONG = 4 << 20  # bytes whose reading takes much longer than a call


@cache
def multiply_adds(target: Target) -> float:
    """The most multiply-adds per second on registers alone."""
    chains = min(24, target.vector_registers - 4)

    def body(e: Emitter, a: Value, b: Value) -> Value:
        x, w = e.load(a), e.load(b)
        totals = e.loop(TURNS, [e.constant(float(i)) for i in range(chains)], lambda _, *t: [e.fma(x, w, v) for v in t])
        return _sum(e, totals)

    return TURNS * chains * target.lanes / _seconds(target, body, 4096, f"peak{chains}")


@cache
def read_bandwidth(target: Target, size: int) -> float:
    """The most bytes per second when a block of about ``size`` bytes is read again and again from one end to the other."""
    unroll, width = 16, target.vector_bytes // 4
    turns = max(1, size // (4 * unroll * width))
    passes = max(1, LONG // size)

    def body(e: Emitter, a: Value, b: Value) -> Value:
        def turn(index: Value, *totals: Value) -> list[Value]:
            here = e.at(a, e.builder.mul(index, integer(unroll * width)))
            return [e.add(e.load(here, i * width), total) for i, total in enumerate(totals)]

        start = [e.constant(0.0)] * unroll
        return _sum(e, e.loop(passes, start, lambda _, *totals: e.loop(turns, totals, turn)))

    block = turns * unroll * target.vector_bytes
    return passes * block / _seconds(target, body, block, f"read{turns}")


def _sum(e: Emitter, values: list[Value]) -> Value:
    total = values[0]
    for value in values[1:]:
        total = e.add(total, value)
    return total


def _seconds(target: Target, body: Any, size: int, key: str) -> float:
    """The least seconds of ``body(emitter, a, b)``, whose result is stored; a and b point to ``size`` bytes of zeros."""

    def write(e: Emitter, a: Value, b: Value, y: Value) -> None:
        e.store(body(e, a, b), y)

    run = vector_function(target, 3, write)

    def kernel(a: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            run(a, a, offset(y, chunk))

    call = KernelCall(kernel, (Packed(np.zeros(1, np.float32)), Output()), (), 1, (key, target))
    places = (Place("weights", 0), Place("arena", 0))
    program = Program("machine", [Step(call, places, ("float32",) * 2, "", "")], [], [], 4096, 0, 4096, WeightBlock())
    native = NativeModule(emit(link(program, target), target), program.name, target)
    data, made = aligned_bytes(size), aligned_bytes(4096)
    np.frombuffer(data[0], np.uint8)[:] = 0  # touched, or every page would be the same page of zeros
    context = (ctypes.c_void_p * 5)(None, None, made[1], data[1], None)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        native.steps(context, 0, 1)
        times.append(time.perf_counter() - started)
    return min(times)
