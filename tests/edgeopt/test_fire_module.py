"""fire_module: squeezed channels that others can stand for go, the expanding layers are fitted again, other modules stay."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.registry import wanted
from edgeopt.forms.structure.fire_module import FIRE_MODULE, match
from edgeopt.forms.structure.metric import metrics
from edgeopt.forms.structure.narrow import Narrowing
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, Node, TensorType
from edgeopt.ir.clone import clone
from edgeopt.ops import infer_types
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import host
from tests.edgeopt.test_structure_search import named, timed
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def fire(hidden: int = 16, twins: int = 8, more_readers: bool = False) -> Graph:
    """A fire module whose last ``twins`` squeezed channels are those before them, at another scale."""
    draft, rng = Draft(Seeded(0)), np.random.default_rng(0)
    x = draft.input((1, 12, 6, 6))
    weight, bias = rng.standard_normal((hidden, 12, 1, 1)).astype(np.float32), np.full(hidden, 0.3, np.float32)
    weight[hidden - twins :], bias[hidden - twins :] = 0.5 * weight[:twins], 0.5 * bias[:twins]
    s = draft.own("FusedConv", x, draft.constant(weight), draft.constant(bias), activation="Relu", kernel_shape=(1, 1))
    ends = [
        draft.own("FusedConv", s, draft.weight(8, hidden, k, k), draft.weight(8), activation="Relu", **window)
        for k, window in ((1, {"kernel_shape": (1, 1)}), (3, SAME))
    ]
    y = draft.op("Concat", *ends, axis=1)
    return closed(draft, y, *([draft.op("Relu", s)] if more_readers else []))


def data(graph: Graph, count: int = 64) -> DataSet:
    shapes = {v.name: v.type.dims for v in graph.inputs if v.type is not None}
    rng = np.random.default_rng(1)
    return DataSet({name: rng.standard_normal((count, *dims[1:])).astype(np.float32) for name, dims in shapes.items()})


def narrowed(graph: Graph, node: Node, key: str, technique: Narrowing = FIRE_MODULE) -> tuple[Graph, float]:
    """The graph with the form carried out, and the relative error that this makes."""
    samples = data(graph)
    known = metrics(graph, [n for n in graph.nodes if n.is_own("FusedConv")], samples)
    made = technique.solved(node, key, known)
    changed = clone(graph)
    assert technique.carried_out({node.name: made})(changed, Context()) == 1
    infer_types(changed, strict=True)
    before, after = first(graph, samples), first(changed, samples)
    return changed, float(np.linalg.norm(after - before) / np.linalg.norm(before))


def first(graph: Graph, samples: DataSet) -> Array:
    return next(iter(interpret(graph, {name: array[:1] for name, array in samples.arrays.items()}).values()))


def test_channels_that_others_stand_for_cost_nothing() -> None:
    graph = fire()
    changed, error = narrowed(graph, graph.nodes[0], "squeeze-50")
    assert error <= 0.01
    assert [np.asarray(n.constant(1)).shape[:2] for n in changed.nodes[:3]] == [(8, 12), (8, 8), (8, 8)]


def test_what_is_lost_is_made_up_for() -> None:
    graph = fire(twins=0)
    node, samples = graph.nodes[0], data(graph)
    known = metrics(graph, [n for n in graph.nodes if n.is_own("FusedConv")], samples)
    made = FIRE_MODULE.solved(node, "squeeze-50", known)
    for (name, index), array in made.constants(node.name).items():
        if index == 1:
            before, second = np.asarray(next(n for n in graph.nodes if n.name == name).constant(1)), known[name].second[0]
            dropped = np.where(np.abs(array).sum(axis=(0, 2, 3))[:, None, None] > 0, before, 0.0)
            lost, cut = ((w - before).reshape(len(w), -1) for w in (array, dropped))
            assert np.einsum("nk,kl,nl->", lost, second, lost) <= 0.9 * np.einsum("nk,kl,nl->", cut, second, cut)


def test_it_is_known_by_its_squeezing_layer() -> None:
    graph = fire()
    assert [n for n in graph.nodes if match(n) is not None] == graph.nodes[:1]
    assert not any(match(n) for n in fire(more_readers=True).nodes) and FIRE_MODULE.obstacle(fire(more_readers=True))


def test_modules_are_not_changed_together_with_their_layers() -> None:
    with pytest.raises(EdgeoptError, match="name one of them"):
        wanted("fire_module,low_rank")


def test_a_search_narrows_modules_and_quantises_them(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, 0.5)
    graph = named(fire())
    last = graph.outputs[0]
    pooled = graph.make("GlobalAveragePool", [last], [TensorType("float32", (1, 16, 1, 1))])
    graph.outputs = [pooled.output]
    samples = data(graph, 120)
    made, found = approximate(graph, Budget(samples, samples, 5.0, "fire_module,w8a8"), Context(level=1), host())
    assert found is not None and found.title == "narrowed and quantised to w8a8" and found.agreement >= 95.0
    assert sorted(found.forms.values()) == ["squeeze-50 + w8a8", "w8a8", "w8a8"]
    assert [n.op for n in made.nodes].count("QuantConv") == 3
