"""Arithmetic rounded as it is written: a multiply-add in one rounding without the instruction, and nothing contracted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from llvmlite import ir

from edgeopt.codegen.parts import part_text
from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.emitter import F32, Emitter, Value
from edgeopt.kernels.emit.exact import exactly
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target, host
from tests.drawing import RNG
from tests.kernels.harness import run, single

ROWS, LANES = 64, 4


def without(lanes: int) -> Target:
    """This machine as one without a multiply-add."""
    return replace(host(), cpu="x86-64", features="", vector_bytes=4 * lanes, fma=False, dot4="", lookup="")


def rounded(value: Fraction) -> np.float32:
    """The nearest float, half to even, of a number in the range of normal ones."""
    size, exponent = abs(value), 0
    while size >= 2**24:
        size, exponent = size / 2, exponent + 1
    while size and size < 2**23:
        size, exponent = size * 2, exponent - 1
    return np.float32(np.ldexp(float(round(size)), exponent) * (1 if value > 0 else -1))


def terms() -> Array:
    """[ROWS, 3, LANES]: a, b and c, whose a b + c lies so close to halfway between two floats that a double does not tell."""
    made = RNG.uniform(-2, 2, (ROWS, 3, LANES)).astype(np.float32)
    bits, sign = RNG.integers(12, 24, (ROWS - 8, LANES)), RNG.choice([-1.0, 1.0], (ROWS - 8, LANES))
    made[8:, 0], made[8:, 1] = 2.0**-24 * (1 + 2.0**-bits), sign * (1 - 2.0**-bits)  # product: 2^-24 (1 - 2^-2bits)
    made[8:, 2] = 1 + RNG.integers(0, 2**23, (ROWS - 8, LANES)) * 2.0**-23
    return made


def emit(e: Emitter, x: Value, y: Value) -> None:
    for i in range(0, 3 * ROWS * LANES, 3 * LANES):
        for lane in range(0, LANES, e.lanes):
            parts = [e.load(x, i + part * LANES + lane) for part in range(3)]
            e.store(exactly(e).fma(*parts), y, i + lane)


def select(site: Site) -> tuple[KernelCall, ...]:
    function = vector_function(site.target, 2, emit)

    def fused(x: object, y: object, begin: int, end: int) -> None:
        function(x, y)

    return (KernelCall(fused, (Input(0), Output()), (), 1),)


@pytest.mark.parametrize("facts", [replace(host(), vector_bytes=16), without(4), without(1)], ids=["fma", "vectors", "scalars"])
def test_one_rounding(facts: Target) -> None:
    x = terms()
    made = run(single("Neg", {"x": x}), {"x": x}, [Kernel("probe", ("Neg",), select)], facts)[:, 0]
    exact = [[rounded(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))) for a, b, c in row.T] for row in x]
    np.testing.assert_array_equal(made, np.array(exact))
    doubles = x.astype(np.float64)
    twice = (doubles[:, 0] * doubles[:, 1] + doubles[:, 2]).astype(np.float32)
    assert (twice != made).mean() > 0.1  # a sum in double does not do


def test_nothing_is_contracted() -> None:
    def chain(e: Emitter, x: Value, y: Value) -> None:
        e = exactly(e)
        e.store(e.div(e.sub(e.add(e.mul(e.load(x), e.load(y)), e.load(x, 8)), e.load(y, 8)), e.load(y)), y)

    text = part_text(vector_function(host(), 2, chain), [ir.PointerType(F32)] * 2, "chain")
    arithmetic = [line for line in text.split("\n") if any(f" f{op} " in line for op in ("add", "sub", "mul", "div"))]
    assert len(arithmetic) == 4
    assert not any(flag in line for flag in ("contract", "reassoc", "arcp") for line in arithmetic)
