"""Pairs of techniques compose: zeros stay zero, codes stay on their grid, and what is judged is what is carried out.

Those that do not are refused. Structures come first, and the others change the layers that there are then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import relative_error
from edgeopt.evaluate.probe import Probe
from edgeopt.forms.applied import Solved
from edgeopt.forms.exit.carried_out import insert
from edgeopt.forms.exit.fitted import MARGIN, Candidates
from edgeopt.forms.exit.seen import heard
from edgeopt.forms.exit.threshold import Goal as ExitGoal
from edgeopt.forms.exit.threshold import leaves, operating
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.registry import APART, techniques, wanted
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ir.match import dtype_of
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.goal import Goal
from edgeopt.search.pins import Pins
from edgeopt.search.recipe import Recipe, Step
from edgeopt.search.run import approximate
from edgeopt.search.space import Space, merged
from edgeopt.search.timing import layer_name
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import host
from tests.edgeopt.test_mixed_precision import network
from tests.edgeopt.test_structure_search import named
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

FORMS = {
    "prune": ("unstructured-50", "16x1-50", "2:4"),
    "quantize": ("w8a8", "w4a8", "w8a8-dynamic", "w4", "fp16"),
    "share_weights": ("codebook-3", "codebook-4-density", "scaled-4"),
}
PAIRS = [pytest.param({a: fa, b: fb}, id=f"{fa}+{fb}") for a, b in combinations(FORMS, 2) for fa in FORMS[a] for fb in FORMS[b]]
STRUCTURES = {
    "separate_depthwise": "depthwise-first-2",
    "low_rank": "response-50",
    "group": "group-2",
    "fire_module": "squeeze-50",
    "inverted_bottleneck": "expand-50",
    "prune_channels": "channels-25",
}
FEW = 6  # samples that meanings are compared on
BEFORE_EXITS = ("w8a8", "k16c4", "unstructured-50")
BEHIND = ("w8a8", "w4", "k16c4", "unstructured-50", "codebook-3")
ALL = pytest.param({"prune": "unstructured-50", "quantize": "w8a8", "share_weights": "codebook-4"}, id="all three")


def samples(graph: Graph, count: int = 24, seed: int = 4) -> DataSet:
    rng = np.random.default_rng(seed)
    return DataSet({v.name: rng.normal(size=(count, *v.type.dims[1:])).astype(np.float32) for v in graph.inputs if v.type})


def labelled(data: DataSet) -> DataSet:
    """With classes that heads can tell apart in part: which channel of an image is the largest."""
    (images,) = data.arrays.values()
    return replace(data, labels=images.mean(axis=(2, 3)).argmax(axis=1))


@cache
def case() -> Graph:
    graph = network()
    optimize(graph)
    return graph


def modules() -> Graph:
    """A convolution, an inverted bottleneck and a fire module, so that every technique of structure finds something."""
    draft, same = Draft(Seeded(3), 21), {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "activation": "Relu"}
    one = {"kernel_shape": (1, 1), "activation": "Relu"}
    x = draft.own("FusedConv", draft.input((1, 16, 6, 6)), draft.weight(16, 16, 3, 3), draft.weight(16), **same)
    h = draft.own("FusedConv", x, draft.weight(32, 16, 1, 1), draft.weight(32), **one)
    h = draft.own("FusedConv", h, draft.weight(32, 1, 3, 3), draft.weight(32), group=32, **same)
    x = draft.own("FusedConv", h, draft.weight(16, 32, 1, 1), draft.weight(16), x, kernel_shape=(1, 1))
    s = draft.own("FusedConv", x, draft.weight(16, 16, 1, 1), draft.weight(16), **one)
    ends = [draft.own("FusedConv", s, draft.weight(16, 16, k, k), draft.weight(16), **w) for k, w in ((1, one), (3, same))]
    flat = draft.op("Flatten", draft.op("GlobalAveragePool", draft.op("Concat", *ends, axis=1)))
    graph = closed(draft, draft.own("FusedGemm", flat, draft.weight(32, 16), draft.weight(16)))
    optimize(graph)
    return graph


@cache
def restructured(name: str) -> Graph:
    """``modules`` with what a technique of structure makes of all that it finds."""
    graph = modules()
    space = solved_space(graph, {name: STRUCTURES[name]})
    return space.carried_out(space.solve(space.first()))


def solved_space(graph: Graph, keys: Mapping[str, str]) -> Space:
    evidence = Evidence(graph, samples(graph))
    sessions = [techniques()[name].open(evidence, [key]) for name, key in keys.items()]
    return Space(graph, Goal(host(), 1), sessions)


def test_every_technique_has_a_part_here() -> None:
    known = {name: technique.axis for name, technique in techniques().items()}
    assert set(STRUCTURES) == {name for name, axis in known.items() if axis == "structure"}
    assert {*FORMS, "product_quantize", "exit"} == set(known) - set(STRUCTURES)
    assert set(known) == set(STRUCTURES) | {"exit"} | {name for key in BEHIND for name in wanted(key)}


@pytest.mark.parametrize("keys", [*PAIRS, ALL])
def test_forms_compose(keys: dict[str, str]) -> None:
    graph = case()
    space = solved_space(graph, keys)
    solved = space.solve(space.first())
    _require_kept(graph, space, solved, keys)
    _require_same(graph, samples(graph), space, solved)


@pytest.mark.parametrize("key", BEHIND)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures_take_other_forms(structure: str, key: str) -> None:
    graph = restructured(structure)
    keys = wanted(key)
    space = solved_space(graph, keys)
    solved = space.solve(space.first())
    _require_kept(graph, space, solved, keys)
    made, feeds = space.carried_out(solved), samples(graph).arrays
    again = load(export(made))
    optimize(again)
    judged = outputs(graph, samples(graph), merged(solved))[:FEW]
    ran, exported = interpreted(made, feeds), interpreted(again, feeds)
    np.testing.assert_allclose(exported, ran, rtol=1e-5, atol=1e-5)
    assert relative_error(judged, ran) <= (0.01 if key in ("w8a8", "k16c4") else 1e-5)  # a code at a tie
    assert relative_error(outputs(graph, samples(graph))[:FEW], ran) > 0.001


def interpreted(graph: Graph, feeds: Mapping[str, Array]) -> Array:
    """What ``graph`` means, sample by sample."""
    ((name, array),) = feeds.items()
    return np.concatenate([next(iter(interpret(graph, {name: sample[None]}).values())) for sample in array[:FEW]])


@pytest.mark.parametrize("key", BEFORE_EXITS)
def test_exits_read_what_other_forms_left(key: str) -> None:
    """Where samples leave, and what they get, is what heads said of values of the changed network: numbers or codes."""
    graph = case()
    space = solved_space(graph, wanted(key))
    changed = space.carried_out(space.solve(space.first()))
    fitting, data = (labelled(samples(graph, count, count)) for count in (120, 60))
    candidates = Candidates(changed, fitting, data, hierarchical=True)
    (option,) = candidates.options(ExitGoal(100.0), sets=[tuple(range(len(candidates.points)))])
    sure, right = candidates.answers.of(MARGIN, option.exits, np.arange(len(data)), option.earlier)
    point = operating(sure, right, candidates.depths(option.exits), float(np.median(sure[0])) + 1e-3)
    found = candidates.described(replace(option, point=point))
    assert 0.1 < point.shares[0] < 0.9 and point.shares[-1] > 0.02
    assert key != "w8a8" or {dtype_of(point.value) for point in found.points} <= {"int8", "uint8"}
    made = clone(changed)
    insert(made, found.exits, Context())
    optimize(made)
    ran = Probe(made, [value.name for value in made.outputs])(data)
    where = leaves(sure, point.threshold)
    said = [*heard(candidates.answers.logits, option.earlier), compiled_outputs(changed, data, host(), 1)]
    wanted_answers = np.stack(said)[where, np.arange(len(data))]
    np.testing.assert_array_equal(ran[f"{changed.outputs[0].name}.exit"], where)
    np.testing.assert_allclose(ran[changed.outputs[0].name], wanted_answers, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("pair", "why"), APART.items(), ids="+".join)
def test_pairs_that_do_not_compose_are_refused(pair: tuple[str, str], why: str) -> None:
    with pytest.raises(EdgeoptError, match=f"{pair[0]} and {pair[1]} do not go together: {why}"):
        wanted(",".join(pair))
    graph, steps = case(), tuple(Step(name, (techniques()[name].first(),)) for name in pair)
    data = samples(graph)
    with pytest.raises(EdgeoptError, match="layer '.*do not go together.*name layers of their own"):
        approximate(graph, Budget(data, data, recipe=Recipe("both", "", steps)), Context(level=1), host())


def test_a_layer_of_codewords_stands_among_pruned_ones() -> None:
    graph = named(modules())
    data, codewords = samples(graph), graph.nodes[0].name
    budget = Budget(data, data, max_drop=100, forms="unstructured-50", pins=Pins(forms={codewords: "k16c4"}))
    made, found = approximate(graph, budget, Context(level=1), host())
    assert found is not None and [layer_name(n) for n in made.nodes if n.op == "LookupConv"] == [codewords]
    assert found.forms.pop(codewords) == "k16c4" and set(found.forms.values()) == {"unstructured-50"}


def _require_kept(graph: Graph, space: Space, solved: Solved, keys: Mapping[str, str]) -> None:
    """Zeros are zero, values are few, codes are on their grids, whatever came behind them."""
    made = merged(solved)
    weights = {n.name: made.constants[n.name, 1] for n in linear_nodes(graph) if (n.name, 1) in made.constants}
    assert weights
    if "prune" in keys:
        first = next(solution for session, solution in solved if session.technique.name == "prune")
        assert first and all(not weights[name][changed.weight == 0].any() for name, changed in first.items())
    if "share_weights" in keys:
        _require_few_values(space, weights, made.grids, keys["share_weights"])
    for (name, operand), grid in made.grids.items():
        if operand == 1 and grid.dtype != "float16":
            np.testing.assert_array_equal(grid.dequantize(grid.quantize(weights[name])), weights[name])


def _require_few_values(space: Space, weights: Mapping[str, Array], grids: Mapping[tuple[str, int], Quantizer], key: str) -> None:
    most = 2 ** int(key.split("-")[1])
    for layer, choice in space.first().items():
        if Form("share_weights", key) in choice:
            grid = grids.get((layer, 1))
            if grid is None:
                assert np.unique(weights[layer]).size <= most
                continue
            half = grid.dtype == "float16"
            values = weights[layer].astype(np.float16) if half else grid.quantize(weights[layer])
            assert np.unique(values).size <= most
            np.testing.assert_array_equal(values.astype(np.float32) if half else grid.dequantize(values), weights[layer])


def _require_same(graph: Graph, data: DataSet, space: Space, solved: Solved) -> None:
    """The compiled network computes what the run with changed weights does, but for activations that it quantises at run time."""
    simulated = outputs(graph, data, merged(solved))
    compiled = compiled_outputs(space.carried_out(solved), data, host(), 1)
    names = {form.key for choice in space.first().values() for form in choice}
    rounded = any(name.startswith(("w8", "w4a")) for name in names)
    assert relative_error(simulated, compiled) <= (0.015 if rounded else 1e-5)
    assert relative_error(outputs(graph, data), compiled) > 0.001
