"""Random graphs through both back ends, where the extra of the second is installed: floats nearly, integers exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, find_backend
from edgeopt.ir import Array, Graph
from edgeopt.pipeline import optimize
from edgeopt.target import target
from tests.edgeopt.test_integer_graphs import layers
from tests.passes.checks import feeds
from tests.strategies import graphs

pytest.importorskip("tvm")
FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def agrees(graph: Graph, given: dict[str, Array], level: int) -> None:
    """Both back ends give the same of one optimised graph, and no kernel stays numba's."""
    optimize(graph, level)
    usual, other = (assemble(graph, target("host"), level, backend=backend) for backend in (NUMBA, find_backend("tvm")))
    assert other.manifest["backend"]["rest"] == {}
    results = other.run(given)
    for name, value in usual.run(given).items():
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(results[name], value)
            continue
        size = float(np.abs(value[np.isfinite(value)]).max(initial=1e-9))
        np.testing.assert_allclose(results[name], value, rtol=1e-4, atol=1e-4 * size)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("level", [0, 2])
@FEW
@given(graph=graphs())
def test_random_graphs(level: int, graph: Graph) -> None:
    agrees(graph, feeds(graph), level)


@FEW
@given(graph=layers(), seed=st.integers(0, 2**31))
def test_integer_layers(graph: Graph, seed: int) -> None:
    (value,) = graph.inputs
    assert value.type is not None
    bounds = np.iinfo(value.type.dtype)
    codes = np.random.default_rng(seed).integers(bounds.min, bounds.max + 1, value.type.dims).astype(value.type.dtype)
    agrees(graph, {value.name: codes}, 1)
