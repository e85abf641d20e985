"""Kernels that differ in numbers and functions of the emitter share what numba captures of them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeopt.codegen import driver, kernel_text
from edgeopt.codegen.capture import capture
from edgeopt.codegen.outline import outline
from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import VectorFunction, vector_function
from edgeopt.target import Target, host
from tests.kernels.harness import run, single

LANES = host().lanes


def _times(target: Target, factor: float) -> VectorFunction:
    def emit(e: Emitter, x: Value, y: Value) -> None:
        e.store(e.mul(e.load(x), e.constant(factor)), y)

    return vector_function(target, 2, emit)


def _walk(target: Target, factor: float, count: int, step: int, skipped: int) -> Callable[..., None]:
    """Vector i of ``count`` goes to vector ``i * step % count``, but one is left out: a number decides about a branch."""
    lanes, times = target.lanes, _times(target, factor)

    @inline
    def place(i: Any) -> Any:
        return i * step % count * lanes

    def kernel(x: Any, y: Any, begin: int, end: int) -> None:
        for i in range(count):
            if skipped == 3 and i == 3:
                y[place(i)] = -1.0
            elif i != skipped:
                times(offset(x, place(i)), offset(y, place(i)))

    return kernel


def _kernel(*variants: tuple[float, int, int, int]) -> Kernel:
    def select(site: Site) -> tuple[KernelCall, ...]:
        return tuple(KernelCall(_walk(site.target, *v), (Input(0), Output())) for v in variants)

    return Kernel("walks", ("Neg",), select)


def _outcome(*variants: tuple[float, int, int, int]) -> Array:
    x = np.arange(1, 8 * LANES + 1, dtype=np.float32)
    return run(single("Neg", {"x": x}), {"x": x}, [_kernel(*variants)])


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is captured from here on, nothing being known or kept."""
    names: list[str] = []

    def counted(function: Any, signature: Any, name: str, numbers: int) -> str:
        names.append(name)
        return capture(function, signature, name, numbers)

    monkeypatch.setattr(kernel_text, "capture", counted)
    monkeypatch.setattr(kernel_text, "_CAPTURED", {})
    monkeypatch.setattr("edgeopt.codegen.build.read", lambda name: None)
    return names


def test_variants_are_captured_once(captured: list[str]) -> None:
    made = _outcome((2.0, 8, 3, 7), (-5.0, 3, 1, 1))
    x = np.arange(1, 8 * LANES + 1, dtype=np.float32).reshape(8, LANES)
    meant = np.where(np.arange(8)[:, None] < 3, -5.0 * x, 2.0 * x)
    meant[1] = 2.0 * x[1]  # the second leaves out its vector 1; the first its vector 7, which lies at 7 * 3 % 8
    rows = [row for row in range(8) if row != 7 * 3 % 8]
    np.testing.assert_array_equal(made.reshape(8, LANES)[rows], meant[rows])
    assert len(captured) == 1


def test_a_branch_is_not_decided_while_numbers_are_open(captured: list[str]) -> None:
    assert _outcome((1.0, 8, 1, 7), (1.0, 8, 1, 3))[3 * LANES] == -1.0
    assert _outcome((1.0, 8, 1, 3), (1.0, 8, 1, 7))[3 * LANES] == 3 * LANES + 1
    assert len(captured) == 1


def test_many_variants_of_a_walk_share_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [(2.0, 8, step, skipped) for step in (1, 3, 5) for skipped in (3, 7, 6)]
    meant = _outcome(*variants)
    monkeypatch.setattr(driver, "MAX_COPIES_OF_WALKS", 1)
    assert np.array_equal(_outcome(*variants), meant)
    steps = [KernelCall(_walk(host(), *v), (Input(0), Output())) for v in variants]
    assert len({outline(call.function).numbers for call in steps}) == len(variants)


def test_what_is_no_integer_stays_in_the_outline() -> None:
    function = _walk(host(), 2.0, 8, 3, True)
    assert outline(function).numbers == (8, 8, LANES, 3)  # count, then count, lanes and step of the function that is inlined
    assert len(outline(function).parts) == 1
