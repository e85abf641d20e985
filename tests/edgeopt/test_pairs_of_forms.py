"""Every pair of techniques composes: zeros stay zero, codes stay on their grid, and what is judged is what is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import relative_error
from edgeopt.forms.applied import Solved
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.registry import techniques
from edgeopt.ir import Array, Graph
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.search.goal import Goal
from edgeopt.search.space import Space, merged
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import host
from tests.edgeopt.test_mixed_precision import network

FORMS = {
    "prune": ("unstructured-50", "16x1-50", "2:4"),
    "quantize": ("w8a8", "w4a8", "w8a8-dynamic", "w4", "fp16"),
    "share_weights": ("codebook-3", "codebook-4-density", "scaled-4"),
}
PAIRS = [pytest.param({a: fa, b: fb}, id=f"{fa}+{fb}") for a, b in combinations(FORMS, 2) for fa in FORMS[a] for fb in FORMS[b]]
ALL = pytest.param({"prune": "unstructured-50", "quantize": "w8a8", "share_weights": "codebook-4"}, id="all three")


@cache
def case() -> tuple[Graph, DataSet]:
    graph = network()
    optimize(graph)
    rng = np.random.default_rng(4)
    return graph, DataSet({v.name: rng.normal(size=(24, *v.type.dims[1:])).astype(np.float32) for v in graph.inputs if v.type})


def solved_space(keys: Mapping[str, str]) -> Space:
    graph, data = case()
    evidence = Evidence(graph, data)
    sessions = [techniques()[name].open(evidence, [key]) for name, key in keys.items()]
    return Space(graph, Goal(host(), 1), sessions)


def test_every_technique_has_a_part_here() -> None:
    alone = {"product_quantize"}  # codewords stand for several weights at once: no zero and no code outlives them
    first = {name for name, technique in techniques().items() if technique.axis == "structure"}  # searched for by themselves
    assert set(FORMS) == set(techniques()) - alone - first


@pytest.mark.parametrize("keys", [*PAIRS, ALL])
def test_forms_compose(keys: dict[str, str]) -> None:
    graph, data = case()
    space = solved_space(keys)
    solved = space.solve(space.first())
    made = merged(solved)
    weights = {n.name: made.constants[n.name, 1] for n in linear_nodes(graph) if (n.name, 1) in made.constants}
    assert weights
    if "prune" in keys:
        first = next(solution for session, solution in solved if session.technique.name == "prune")
        assert first and all(not weights[name][changed.weight == 0].any() for name, changed in first.items())
    if "share_weights" in keys:
        _require_few_values(space, weights, made.grids, keys["share_weights"])
    _require_same(graph, data, space, solved)


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
