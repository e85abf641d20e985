"""The whole compiler on random graphs: native results at every level against the meaning of the graph."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from tests.passes.checks import feeds, same_numbers
from tests.strategies import graphs

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def agrees(graph: Graph, level: int) -> None:
    """Compile ``graph`` (which is changed) and compare on random inputs."""
    inputs = feeds(graph)
    expected = interpret(graph, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        same_numbers(expected, edgeopt.compile(graph, level=level).run(inputs))


@pytest.mark.parametrize("level", [0, 1, 2])
@settings(max_examples=10, suppress_health_check=SLOW)
@given(data=st.data())
def test_compiled_graphs_keep_the_numbers(level: int, data: st.DataObject) -> None:
    agrees(data.draw(graphs()), level)
