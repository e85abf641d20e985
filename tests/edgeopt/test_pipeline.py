"""The pipeline: levels, selection, limits, what it tells about itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeopt.pipeline as pipeline
from edgeopt.errors import EdgeoptError
from edgeopt.forms.applied import READABLE
from edgeopt.forms.registry import TECHNIQUES
from edgeopt.forms.sparse import PASSES as STORING
from edgeopt.ir import Graph, Node
from edgeopt.pipeline import LAST, PIPELINE, Stage, optimize
from edgeopt.rewrite import ORIGIN, PROVENANCE, Context, Pass, PassError
from tests.strategies import Draft, Seeded

PASSES = Path(__file__).parents[2] / "passes"


def network() -> Graph:
    """Conv -> BatchNormalization -> Relu, twice, with a residual in between."""
    draft = Draft(Seeded(3))
    x = draft.input((1, 3, 6, 5))
    y = x
    for _ in range(2):
        c = draft.op("Conv", y, draft.weight(3, 3, 3, 3), pads=(1, 1, 1, 1))
        b = draft.op("BatchNormalization", c, *[draft.weight(3, low=0.1) for _ in range(4)])
        y = draft.op("Relu", draft.op("Add", b, y))
    draft.graph.outputs = [y]
    return draft.graph


def test_every_file_of_passes_is_a_stage_or_runs_by_name() -> None:
    files = {path.stem for path in PASSES.glob("*.py")} - {"__init__"}
    by_name = {name for technique in TECHNIQUES for name in technique.passes} | {p.name for p in READABLE} | {*STORING}
    stages = (*PIPELINE, *LAST)
    assert {stage.pass_.name for stage in stages} | by_name == files
    assert len(stages) + len(by_name) == len(files)
    assert all(stage.why and stage.pass_.contract == "exact" for stage in stages)


def test_batch_norm_residual_and_activation_end_in_one_operator() -> None:
    graph = network()
    optimize(graph)
    assert [node.op for node in graph.nodes] == ["FusedConv", "FusedConv"]
    assert all(node.text("activation", "") == "Relu" and node.input(3) is not None for node in graph.nodes)


def test_level_zero_changes_nothing() -> None:
    graph = network()
    before = str(graph)
    assert optimize(graph, level=0).count == 0
    assert str(graph) == before


def test_only_restricts_the_passes() -> None:
    graph = network()
    context = optimize(graph, only=["decompose_batch_norm"])
    assert {name for name, count in context.fired.items() if count} == {"decompose_batch_norm"}
    assert [node.op for node in graph.nodes].count("Mul") == 2


def test_an_unknown_name_is_an_error_that_says_it() -> None:
    with pytest.raises(EdgeoptError, match="no_such_pass"):
        optimize(network(), only=["no_such_pass", "dead_code"])


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_stop_after_counts_single_rewrites(limit: int) -> None:
    assert optimize(network(), context=Context(stop_after=limit)).count == limit


def test_print_after_sees_the_graph_after_each_pass_that_fired() -> None:
    seen: list[tuple[str, str]] = []
    graph = network()
    context = optimize(graph, print_after=lambda name, g: seen.append((name, str(g))))
    assert {name for name, _ in seen} == {name for name, count in context.fired.items() if count}
    assert seen[-1][1] == str(graph)


def test_the_reasons_are_those_of_the_final_graph() -> None:
    draft = Draft(Seeded(0))
    c = draft.conv(draft.input((1, 3, 6, 5)))
    draft.graph.outputs = [c, draft.op("Relu", c)]
    context = optimize(draft.graph)
    present = {repr(node) for node in draft.graph.nodes}
    assert [reason for name, node, reason in context.declined if name == "fuse_activation"] == [
        f"'{c.name}' has 1 readers and is a graph output, or its producer already has an activation"
    ]
    assert {node for _, node, _ in context.declined} <= present


def test_time_is_booked_for_each_pass() -> None:
    context = optimize(network())
    assert set(context.seconds) == {stage.pass_.name for stage in PIPELINE}
    assert all(seconds >= 0 for seconds in context.seconds.values())


def test_new_nodes_say_which_pass_made_them_and_from_what() -> None:
    graph = network()
    first = graph.nodes[0].name
    optimize(graph)
    made = graph.nodes[0]
    assert made.metadata[PROVENANCE] == "fuse_activation"
    assert first in made.metadata[ORIGIN].split(",")


def test_passes_that_undo_each_other_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(graph: Graph, node: Node, old: str, new: str) -> bool:
        if node.op != old:
            return False
        made = graph.make(new, node.inputs, [node.output.type], node)
        graph.replace(node.output, made.output)
        graph.erase(node)
        return True

    there = Pass("there", lambda g, n, c: swap(g, n, "Relu", "Abs"))
    back = Pass("back", lambda g, n, c: swap(g, n, "Abs", "Relu"))
    monkeypatch.setattr(pipeline, "PIPELINE", (Stage(there, "there"), Stage(back, "back")))
    with pytest.raises(PassError, match="there, back"):
        optimize(network())


def test_weights_are_folded_in_double_precision() -> None:
    draft = Draft(Seeded(0))
    x = draft.input((1, 2, 4, 4))
    weight = draft.weight(2, 2, 1, 1)
    scale = draft.weight(2, 1, 1, low=1e-3, high=1e3)
    draft.graph.outputs = [draft.op("Mul", draft.op("Conv", x, weight), scale)]
    optimize(draft.graph)
    folded = draft.graph.nodes[0].constant(1)
    assert folded is not None
    exact = weight.array.astype(np.float64) * scale.array.reshape(2, 1, 1, 1)
    assert np.array_equal(folded, exact.astype(np.float32))
