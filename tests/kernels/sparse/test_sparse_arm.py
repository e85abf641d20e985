"""Sparse products on Arm, emulated: 64 bit with and without products of four bytes, and 32 bit."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Graph
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import target
from tests.edgeopt.emulation import needs
from tests.kernels.harness import single, uniform
from tests.kernels.quant_harness import codes, compare
from tests.kernels.sparse.test_sparse_products import quantised, weight
from tests.kernels.sparse.test_sparse_quant_conv import PADDED, graphs
from tests.kernels.sparse_harness import make_sparse, thinned

CASES = ["conv of codes", "product of codes", "product of single codes", "conv", "conv of single weights", "product"]
TARGETS = ["arm", "cortex-a76", "armv7"]


def made(case: str) -> Graph:
    """A graph of one sparse operator."""
    if case == "conv of codes":
        graph, _ = graphs((1, 18, 9, 7), (24, 18, 3, 3), PADDED)
    elif case == "product of codes":
        graph = quantised((5,), 37, 50)
    elif case == "product of single codes":
        graph = quantised((5,), 70, 50, block=(1, 1))
    elif case.startswith("conv"):
        constants = [thinned(uniform(24, 18, 3, 3), (16, 1), 0.3), uniform(24)]
        graph = single("FusedConv", {"x": uniform(1, 18, 9, 7)}, constants, PADDED, OWN_DOMAIN)
    else:
        graph = single("FusedGemm", {"x": uniform(5, 37)}, [weight(uniform(37, 50), (16, 1)), uniform(50)], {}, OWN_DOMAIN)
    make_sparse(graph, (1, 1) if "single" in case else (16, 4) if "codes" in case else (16, 1))
    return graph


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("where", TARGETS)
def test_agrees_with_meaning(case: str, where: str) -> None:
    facts = target(where)
    needs("armv7" if where == "armv7" else "arm")
    graph = made(case)
    data = {
        v.name: codes(v.type.dtype, *v.type.dims) if "codes" in case else uniform(*v.type.dims) for v in graph.inputs if v.type
    }
    expected = next(iter(interpret(graph, data).values()))
    model = edgeopt.compile(graph, level=0, target=facts)
    assert {"sparse_walk.multiply", "csr_conv.multiply"} & {step["kernel"] for step in model.manifest["kernels"]}
    with Emulator(model) as emulator:
        there = next(iter(emulator.run(data).values()))
    if "codes" in case:
        compare(there, expected)
    else:
        np.testing.assert_allclose(there, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
