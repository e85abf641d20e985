"""Codewords beside a joint search: looked for where a sketch promises much, taken where the network takes less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import onnx
import pytest

import edgeopt
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search import joint, run, sketch, sparsity
from edgeopt.search.allowed import Budget
from edgeopt.search.exchange import exchange
from edgeopt.search.limits import Limits
from edgeopt.search.pins import Pins
from edgeopt.search.recipe import CODEWORDS, read_recipe
from edgeopt.search.stored import constants_bytes
from edgeopt.search.timing import Profile, profiles
from edgeopt.target import host
from tests.edgeopt.test_exchange import classifier

JOINT = Budget(classifier()[1], recipe=read_recipe("joint"), limits=Limits(), objective="latency")


def test_codewords_are_another_way_where_time_counts_and_nothing_else_was_asked() -> None:
    (other,) = JOINT.others()
    assert other.recipe is not None and other.recipe.name == CODEWORDS and other.names == {"product_quantize": "k16c4"}
    changed = [{"objective": "size"}, {"pins": Pins(("first",))}, {"data": None}, {"recipe": read_recipe("joint-size")}]
    assert not any(replace(JOINT, **change).others() for change in changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "much"), [(0.9, True), (0.97, False)])
def test_a_sketch_of_all_layers_in_codewords_decides(seconds: float, much: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[Graph]()

    def timed(graphs: Mapping[str, Graph], *rest: object) -> dict[str, Profile]:
        drawn.append(graphs["rough"])
        return {"made": Profile(1.0, 0, 0, True), "rough": Profile(seconds, 0, 0, True)}

    monkeypatch.setattr(sketch, "stored_profiles", timed)
    graph, (other,) = load(classifier()[0]), JOINT.others()
    assert sketch.promising(graph, graph, other, host(), 3) == (1.0 if much else None)
    assert [node.op for node in drawn[0].nodes].count("LookupGemm") == 2
    assert sketch.promising(graph, graph, replace(other, end=0.0), host(), 3) is None


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_the_cheaper_network_is_taken_and_both_are_named(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"one": Profile(1.0, 0, 0, True), "other": Profile(seconds, 0, 0, True)}
    monkeypatch.setattr(sketch, "stored_profiles", lambda *given: times)
    (one, other), (budget,) = [(load(classifier()[0]), None) for _ in range(2)], JOINT.others()
    taken = sketch.cheaper(one, other, budget, host(), 3)
    assert taken is (other if seconds < 1 else one)
    size, word = constants_bytes(one[0]) / 1e3, ", taken" if seconds < 1 else ", not taken"
    said = f"{1e3 * seconds:.3g} ms and {size:.3g} kB of constants against 1e+03 ms and {size:.3g} kB of constants without{word}"
    assert taken[0].metadata["edgeopt.notes"].endswith(f"recipe 'joint-codewords': {said}")


def test_zeros_count_when_networks_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that skips zeros is made after the choice; what it will take is what is compared."""
    model, _ = classifier()
    half = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    half[:, 16:] = 0.0
    sparse = onnx.ModelProto.FromString(model.SerializeToString())
    sparse.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(half, "u"))
    (budget,) = JOINT.others()
    asked = list[str]()

    def timed(graphs: Mapping[str, Graph], *rest: Any) -> dict[str, Profile]:
        asked.extend(graphs)
        return profiles(graphs, *rest)

    monkeypatch.setattr(sparsity, "profiles", timed)
    one, other = load(model), load(sparse)
    for graph in (one, other):
        optimize(graph, 3, Context(level=3))
    sketch.cheaper((one, None), (other, None), budget, host(), 3)
    ways = {name: [made.split()[1] for made in asked if made.startswith(name)] for name in ("one", "other")}
    assert ways["one"] == ["dense"] and len(ways["other"]) > 1


@pytest.mark.parametrize(("seconds", "searches"), [(1.0, 2), (1e-12, 1)])
def test_a_search_for_codewords_follows_that_for_integers_and_is_thorough_where_it_may_find_something(
    seconds: float, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    thorough = list[object]()

    def counted(*given: Any) -> object:
        thorough.append(given)
        return exchange(*given)

    monkeypatch.setattr(run, "promising", lambda *given: seconds)
    monkeypatch.setattr(joint, "exchange", counted)
    model, data = classifier()
    asked = edgeopt.Options(prefer="speed", onnx=False, search_time=1.0)
    made = edgeopt.compile(model, 3, data=data.take(slice(0, 200)), options=asked)
    record = made.manifest["quantization"]
    assert "recipe 'joint-codewords': " in "".join(made.manifest["notes"])
    assert record["before"] - record["after"] <= 1.0
    assert len(thorough) == searches
