"""The fuzzer sees what it is for: foreign memory, crashes, hangs, tracebacks and wrong numbers become verdicts."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
from onnx import parser

import edgeopt
from benchmarks.fuzzing import batch, trial
from benchmarks.fuzzing.batch import Outcome, outcomes
from benchmarks.fuzzing.guarded import PAGE, Guard, guarded_run
from benchmarks.fuzzing.misfits import Case, drawn

MODEL = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) { y = Relu (x) }')
X = np.array([-1, 0, 2], np.float32)


def case(number: int) -> Case:
    return Case(f"{number}-Relu", MODEL.SerializeToString(), {"x": X}, valid=True)


def outcome(monkeypatch: pytest.MonkeyPatch, ours: Callable[[Case], object]) -> list[Outcome]:
    """Two cases, of which the first goes through ``ours``."""
    plain = trial._ours
    monkeypatch.setattr(trial, "_ours", lambda c: ours(c) if c.name == "0-Relu" else plain(c))
    return list(outcomes([0, 1], case))


def test_a_sound_case_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [o.verdict for o in outcomes([0, 1], case)] == ["right", "right"]


@pytest.mark.parametrize(
    ("ours", "verdict", "detail"),
    [
        (lambda c: ctypes.string_at(0), "CRASH", "SIGSEGV"),
        (lambda c: dict[str, int]()["gone"], "TRACEBACK", "KeyError: 'gone'"),
        (lambda c: {"y": X}, "DIFFERENT", "output 'y' differs by 1"),
        (lambda c: "of others", "FOREIGN", "of others"),
        (lambda c: os.kill(os.getpid(), signal.SIGKILL), "CRASH", "SIGKILL"),
    ],
)
def test_a_fault_is_a_verdict_and_the_next_case_goes_on(
    monkeypatch: pytest.MonkeyPatch, ours: Callable[[Case], object], verdict: str, detail: str
) -> None:
    assert outcome(monkeypatch, ours) == [Outcome(0, verdict, detail), Outcome(1, "right", "")]


def test_a_hang_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SECONDS", 0.2)

    def endless(c: Case) -> object:
        while True:
            pass

    assert [o.verdict for o in outcome(monkeypatch, endless)][:1] == ["HANG"]


@pytest.mark.parametrize("high", [True, False])
def test_the_byte_beside_a_guarded_block_cannot_be_touched(high: bool) -> None:
    block = Guard(high, 0x5A).block(100)
    assert block.ctypes.data % PAGE == (PAGE - 100 if high else 0) and set(block) == {0x5A}
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        ctypes.string_at(block.ctypes.data + (100 if high else -1), 1)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGSEGV


def test_a_guarded_run_gives_the_outputs_of_a_run() -> None:
    model = edgeopt.compile(MODEL)
    np.testing.assert_array_equal(guarded_run(model, {"x": X}, Guard(True, 0xFF))["y"], model.run({"x": X})["y"])


def test_equal_numbers_draw_equal_cases() -> None:
    one, other = drawn(7), drawn(7)
    assert (one.name, one.model, list(one.inputs)) == (other.name, other.model, list(other.inputs))
