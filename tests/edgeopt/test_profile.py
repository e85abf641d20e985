"""Costs of candidates on a target, and the combination of plans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeopt.evaluate.data import read
from edgeopt.forms.errors import output_errors
from edgeopt.forms.form import FLOAT
from edgeopt.forms.quantize.combine import combined
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.ops.grid import scheme
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.search.timing import layer_name, profiles
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import host, target
from tests.edgeopt.quantizing import variant

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def graph() -> Graph:
    made = load(EXAMPLES / "digits.onnx")
    optimize(made)
    return made


@pytest.mark.parametrize("name", ["host", "cortex-a53"])
def test_every_layer_has_its_share(graph: Graph, name: str) -> None:
    found = profiles({"a": graph, "b": graph}, target(name), 2)
    for profile in found.values():
        assert profile.measured == (name == "host")
        assert {layer_name(n) for n in linear_nodes(graph)} <= set(profile.layers)
        assert sum(cost.seconds for cost in profile.layers.values()) > 0 and profile.weights > 0 and profile.ram > 0
    if name != "host":
        assert found["a"] == found["b"] and np.isclose(
            sum(cost.seconds for cost in found["a"].layers.values()), found["a"].seconds
        )


def test_plans_combine_by_layer_and_take_the_finest_grid(graph: Graph) -> None:
    data = read(EXAMPLES / "digits.cal.npz", graph).subset(32)
    plans = {name: make_plan(graph, data, scheme(name)) for name in ("w8a8", "w4a4")}
    names = [n.name for n in linear_nodes(graph)]
    forms = {n: ("w8a8", "w4a4", FLOAT)[i % 3] for i, n in enumerate(names)}
    made = combined(graph, plans, forms)
    assert set(made.weights) == {n for n in names if forms[n] != FLOAT}
    assert all(np.array_equal(w.codes, plans[forms[n]].weights[n].codes) for n, w in made.weights.items())
    inputs = {n.name: source.name for n in linear_nodes(graph) if (source := n.input(0)) is not None}
    assert all(made.activations[inputs[n]].dtype == "uint8" for n in names if forms[n] == "w8a8")
    assert {made.activations[inputs[n]].dtype for n in names if forms[n] == "w4a4"} <= {"uint4", "uint8"}


def test_a_plan_of_nothing_changes_nothing(graph: Graph) -> None:
    data = read(EXAMPLES / "digits.eval.npz", graph).subset(16)
    plan = combined(graph, {}, dict.fromkeys([n.name for n in linear_nodes(graph)], FLOAT))
    made = compiled_outputs(variant(graph, plan, 1), data, host(), 1)
    assert np.array_equal(made, compiled_outputs(graph, data, host(), 1))


def test_coarser_codes_have_larger_errors(graph: Graph) -> None:
    data = read(EXAMPLES / "digits.cal.npz", graph).subset(32)
    plans = [make_plan(graph, data, scheme(n)) for n in ("w8a8", "w4a8")]
    fine, coarse = (output_errors(graph, plan.weights, overlay_of(graph, plan), data) for plan in plans)
    assert set(fine) == set(coarse) == {n.name for n in linear_nodes(graph)}
    assert all(0 < fine[n] < coarse[n] for n in fine)
