"""Properties of all passes, each alone and all together, on random graphs that contain its pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeopt.interpret import interpret
from edgeopt.ir import Graph, Node
from edgeopt.pipeline import LAST, PIPELINE, optimize
from edgeopt.rewrite import Context, Pass, PassError
from tests.passes.checks import feeds, keeps_numbers, load_pass, same_numbers
from tests.passes.graphs import PATTERNS, around, pattern_graph
from tests.strategies import graphs

NAMES = [stage.pass_.name for stage in (*PIPELINE, *LAST)]
SEEDS = range(6)


def test_every_pass_of_the_pipeline_has_a_pattern() -> None:
    assert sorted(NAMES) == sorted(PATTERNS)


@pytest.mark.parametrize("name", NAMES)
def test_pass_fires_on_its_pattern(name: str) -> None:
    for seed in SEEDS:
        assert keeps_numbers(pattern_graph(name, seed), load_pass(name)) > 0, f"seed {seed}"


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(data=st.data())
def test_pass_alone_keeps_the_numbers(name: str, data: st.DataObject) -> None:
    keeps_numbers(data.draw(around(name)), load_pass(name))


@given(data=st.data())
def test_pipeline_keeps_the_numbers(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    keeps_numbers(data.draw(around(name)), lambda graph, context: optimize(graph, context=context).count)


@given(graph=graphs())
def test_pipeline_keeps_the_numbers_of_random_graphs(graph: Graph) -> None:
    keeps_numbers(graph, lambda graph, context: optimize(graph, context=context).count)


@given(data=st.data())
def test_every_prefix_of_the_rewrites_is_a_valid_graph(data: st.DataObject) -> None:
    graph = data.draw(around(data.draw(st.sampled_from(NAMES))))
    inputs, limit = feeds(graph), data.draw(st.integers(0, 20))
    before = interpret(graph, inputs)
    context = optimize(graph, context=Context(stop_after=limit))
    assert context.count <= limit
    same_numbers(before, interpret(graph, inputs))


def _drop_relu(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    assert value is not None
    graph.replace(node.output, value)
    graph.erase(node)
    return True


def test_a_wrong_pass_is_caught() -> None:
    graph = pattern_graph("fold_pad_into_pool", 1)
    graph.outputs.append(graph.make("Relu", [graph.inputs[0]], [graph.inputs[0].type]).output)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        keeps_numbers(graph, Pass("drop_relu", _drop_relu, roots=("Relu",)))


def test_a_pass_that_lies_about_a_change_is_caught() -> None:
    silent = Pass("silent", lambda graph, node, context: not _drop_relu(graph, node, context), roots=("Relu",))
    graph = pattern_graph("fuse_activation", 0)
    graph.outputs.append(graph.make("Relu", [graph.inputs[0]], [graph.inputs[0].type]).output)
    with pytest.raises(PassError, match="reported no change but changed"):
        silent(graph)


def test_numbers_that_differ_by_more_than_the_tolerance_are_caught() -> None:
    one = {"y": np.linspace(-1, 1, 5, dtype=np.float32)}
    with pytest.raises(AssertionError):
        same_numbers(one, {"y": one["y"] + np.float32(1e-3)})
