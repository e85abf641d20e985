"""The exchange after a repair: forms that were passed over are tried on the whole network, few times, and the budget holds."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

import edgeopt
from edgeopt.evaluate.data import DataSet
from edgeopt.search import exchange as module
from edgeopt.search.budget import Candidate, Choice, choose
from edgeopt.search.exchange import TRIALS, exchange
from tests.edgeopt import small_models


def test_a_form_inside_of_the_hull_is_found() -> None:
    known = [Candidate("a", "far", 1.0, 9.0), Candidate("a", "middle", 4.0, 6.0), Candidate("a", "exact", 5.0, 0.0)]
    drops = {"far": 3.0, "middle": 0.5, "exact": 0.0}
    repaired = choose({"a": "far"}, lambda: known, lambda forms: drops[forms["a"]], 1.0)
    assert repaired.forms == {"a": "exact"}  # from far the step to exact takes most error away for its cost
    found = exchange({"a": "far"}, repaired, known, lambda forms: drops[forms["a"]], 1.0)
    assert found == Choice({"a": "middle"}, ("a",), 0.5)


def test_a_layer_that_gets_its_first_form_back_was_not_given_back() -> None:
    known = [Candidate(n, form, cost, cost) for n in "ab" for form, cost in (("cheap", 1.0), ("exact", 2.0))]
    repaired = Choice({"a": "exact", "b": "exact"}, ("a", "b"), 0.0)
    found = exchange(dict.fromkeys("ab", "cheap"), repaired, known, lambda forms: 2.0 * (forms["a"] == "cheap"), 1.0)
    assert found == Choice({"a": "exact", "b": "cheap"}, ("a",), 0.0)


def test_forms_that_fail_take_the_ones_beyond_them_along_and_nan_fails() -> None:
    known = [Candidate("a", level, float(level), (9.0 - level) ** 2) for level in range(9)] + [Candidate("a", 9, 0.5, nan)]
    asked: list[int] = []

    def measure(forms: Mapping[str, int]) -> float:
        asked.append(forms["a"])
        return nan if forms["a"] < 6 else 0.0

    found = exchange({"a": 0}, Choice({"a": 8}, ("a",), 0.0), known, measure, 1.0)
    assert found.forms == {"a": 6} and min(asked) == 5 and len(asked) == len(set(asked))


def test_a_long_ladder_is_climbed_down_in_few_trials() -> None:
    known = [Candidate(n, rung, 1.0 + rung, (60.0 - rung) ** 2) for n in "abc" for rung in range(61)]
    asked: list[float] = []

    def measure(forms: Mapping[str, int]) -> float:
        asked.append(sum(0.01 * (60 - rung) for rung in forms.values()))
        return asked[-1]

    found = exchange(dict.fromkeys("abc", 0), Choice(dict.fromkeys("abc", 60), ("a", "b", "c"), 0.0), known, measure, 1.0)
    assert found.drop == pytest.approx(1.0) and len(asked) <= TRIALS


costs = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=8)


@given(layers=st.lists(costs, min_size=1, max_size=5), budget=st.integers(0, 30))
def test_it_costs_less_within_the_budget_in_few_trials(layers: list[list[tuple[int, int, int]]], budget: int) -> None:
    table = {(f"l{i}", k): form for i, forms in enumerate(layers) for k, form in enumerate([*forms, (60, 0, 0)])}
    known = [Candidate(layer, k, float(cost), float(error)) for (layer, k), (cost, error, _) in table.items()]
    first = {layer: len(forms) for (layer, _), forms in zip([k for k in table if k[1] == 0], layers, strict=True)}
    asked: list[dict[str, int]] = []

    def measure(forms: Mapping[str, int]) -> float:
        asked.append(dict(forms))
        return float(sum(table[layer, k][2] for layer, k in forms.items()))

    found = exchange(first, Choice(first, tuple(first), 0.0), known, measure, float(budget))
    assert len(asked) <= TRIALS and found.drop <= budget and found.drop == measure(found.forms)
    assert sum(table[n, k][0] for n, k in found.forms.items()) <= 60 * len(first)
    assert found == exchange(first, Choice(first, tuple(first), 0.0), known, measure, float(budget))


def classifier() -> tuple[ModelProto, DataSet]:
    """Three dense layers that tell eight noisy prototypes of 40 numbers apart, by way of random features, and samples of them."""
    rng = np.random.default_rng(3)
    prototypes, features, more = rng.normal(size=(8, 40)), rng.normal(size=(40, 48)) / 6, rng.normal(size=(48, 32)) / 6
    labels = np.arange(800) % 8
    x = prototypes[labels] + 0.9 * rng.normal(size=(800, 40))
    hidden = np.maximum(np.maximum(x @ features, 0.0) @ more, 0.0)
    last = np.linalg.lstsq(np.c_[hidden, np.ones(800)], np.eye(8)[labels], rcond=None)[0]
    arrays = {"u": features, "v": more, "w": last[:-1], "c": last[-1]}
    nodes = [
        helper.make_node("MatMul", ["x", "u"], ["f"], "first"),
        helper.make_node("Relu", ["f"], ["g"]),
        helper.make_node("MatMul", ["g", "v"], ["h"], "second"),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w", "c"], ["y"], "third"),
    ]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    made = small_models.model(nodes, [small_models.info("x", (1, 40))], [small_models.info("y", (1, 8))], constants)
    return made, DataSet({"x": x.astype(np.float32)}, labels)


def test_a_network_gets_smaller_by_it_and_stays_within_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {}
    for trials in (0, TRIALS):
        monkeypatch.setattr(module, "TRIALS", trials)
        model, data = classifier()
        made = edgeopt.compress(model, data=data, max_drop=1.0)
        found = made.manifest["quantization"]
        assert found["before"] - found["after"] <= 1.0
        sizes[trials] = made.manifest["compression"]["bytes"]
    assert sizes[TRIALS] < sizes[0]
