"""Weights in few bits on Arm, emulated: 64 bit, and 32 bit with and without a conversion of half precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import Attribute
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import Target, target
from tests.edgeopt.emulation import needs
from tests.kernels.hybrid_harness import KINDS, hybrid, weights

NO_HALF = replace(target("armv7"), name="armv7 without half", cpu="cortex-a8", features="+neon", fma=False)
PADS: dict[str, Attribute] = {"pads": [1, 1, 1, 1], "activation": "Relu"}
CASES: dict[str, tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Attribute]]] = {
    "conv": ("HybridConv", (1, 18, 9, 7), (24, 18, 3, 3), PADS),
    "gemv": ("HybridGemm", (2, 37), (37, 70), {}),
}


RUNS = [("gemv", kind, target(name)) for name in ("arm", "armv7") for kind in KINDS] + [("gemv", "float16", NO_HALF)]
RUNS += [("conv", kind, target(name)) for name in ("arm", "armv7") for kind in ("int8", "int4")]


@pytest.mark.parametrize(("case", "kind", "facts"), RUNS, ids=[f"{case} {kind} {facts.name}" for case, kind, facts in RUNS])
def test_agrees_with_meaning(case: str, kind: str, facts: Target) -> None:
    needs("arm" if facts.triple.startswith("aarch64") else "armv7")
    op, shape, weight, attributes = CASES[case]
    graph, data = hybrid(op, shape, weights(kind, *weight), attributes)
    expected = next(iter(interpret(graph, data).values()))
    with Emulator(edgeopt.compile(graph, level=0, target=facts)) as emulator:
        there = next(iter(emulator.run(data).values()))
    np.testing.assert_allclose(there, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
