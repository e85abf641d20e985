"""Times in native code: the way from Python does not count, and layers add up to the whole."""

from __future__ import annotations

import time

import numpy as np
import pytest

import edgeopt
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.step_clock import StepClock
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command

IMAGE = {"image": np.zeros((1, 1, 8, 8), np.float32)}


def test_a_small_network_is_timed_without_the_call() -> None:
    made = edgeopt.compile(DIGITS)
    clock = Clock(made, IMAGE)
    assert clock.count > 16
    alone = []
    for _ in range(200):
        started = time.perf_counter()
        made.run(IMAGE)
        alone.append(time.perf_counter() - started)
    assert min(clock() for _ in range(50)) < 0.8 * min(alone)


def test_steps_add_up_to_the_whole() -> None:
    made = edgeopt.compile(DIGITS)
    clock, steps = Clock(made, IMAGE), StepClock(made, IMAGE)
    whole = []
    for _ in range(100):
        whole.append(clock())
        steps.sample()
    assert sum(steps.seconds()) == pytest.approx(min(whole), rel=0.35)
    assert len(steps.seconds()) == len(made.manifest["kernels"]) and min(steps.seconds()) >= 0


def test_what_cannot_be_run_many_times_is_run_once() -> None:
    scalar = edgeopt.compile(small_models.branches())
    assert Clock(scalar, {"x": np.ones((2, 2), np.float32), "flag": np.array(True)}).count == 1


def test_layers_are_named() -> None:
    result = command("bench", DIGITS, "--layers", "--seconds", "0.02")
    assert result.exit_code == 0 and "conv_13" in result.stdout and "native code" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    found = edgeopt.bench(DIGITS, seconds=0.02, layers=True)
    assert {"conv_0", "gemm_19"} <= {layer.name for layer in found.layers}
    assert all(layer.macs for layer in found.layers if layer.name.startswith("conv"))
