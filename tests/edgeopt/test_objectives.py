"""What a search makes small: time, RAM of activations, energy; what is not smaller by it stays in float."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt
from edgeopt.evaluate.data import DataSet
from edgeopt.search import sparsity, start
from edgeopt.search.goal import Objective
from edgeopt.search.price import price, shown, worse_than
from edgeopt.search.timing import LayerCost, Profile
from tests.edgeopt import small_models

DATA = DataSet({"x": np.random.default_rng(0).standard_normal((16, 3, 8, 8)).astype(np.float32)})
BEFORE = {"conv": LayerCost(1.0, 10, 100, 1e-6), "gemm": LayerCost(1.0, 10, 100, 1e-6)}
AFTER = {"conv": LayerCost(2.0, 5, 50, 3e-6), "gemm": LayerCost(0.5, 5, 200, 1e-7)}


def profile(layers: dict[str, LayerCost]) -> Profile:
    seconds, ram = sum(c.seconds for c in layers.values()), max(c.ram for c in layers.values())
    return Profile(seconds, sum(c.stored for c in layers.values()), ram, False, layers)


@pytest.mark.parametrize(
    ("objective", "forms"),
    [("latency", ("float32", "w8a8")), ("memory", ("w8a8", "float32")), ("energy", ("float32", "w8a8"))],
)
def test_a_layer_that_costs_more_stays_in_float(
    objective: Objective, forms: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In int8 ``conv`` is slower with less RAM, ``gemm`` the other way round."""

    def costs(graphs: dict[str, object], *given: object) -> dict[str, Profile]:
        parts = {"conv": AFTER["conv"], "gemm": BEFORE["gemm"]} if objective == "memory" else {**BEFORE, "gemm": AFTER["gemm"]}
        known = {"float32": BEFORE, "all": AFTER, "part": parts, "result": parts}
        return {name: profile(known[name]) for name in graphs}

    monkeypatch.setattr(start, "stored_profiles", costs)
    monkeypatch.setattr("edgeopt.search.decide.stored_profiles", costs)
    options = edgeopt.Options(objective=objective)
    made = edgeopt.compile(small_models.convolution(), 3, data=DATA, max_drop=100, options=options)
    rows = {row["layer"]: (row["form"], row["reason"]) for row in made.manifest["quantization"]["layers"]}
    assert (rows["conv"][0], rows["gemm"][0]) == forms
    left = next(reason for form, reason in rows.values() if form == "float32")
    assert left == {"latency": "would be slower", "memory": "would take more RAM", "energy": "would take more energy"}[objective]


def test_energy_is_estimated_where_code_runs_too() -> None:
    graph = edgeopt.frontend.load(small_models.convolution())
    found = sparsity.stored_profiles({"a": graph}, edgeopt.target.host(), 1, energy=True)["a"]
    assert found.joule > 0 and not found.measured


def test_prices_in_words() -> None:
    before, after = profile(BEFORE), profile(AFTER)
    assert [price(before, goal) for goal in ("latency", "size", "memory", "energy")] == [2.0, 20.0, 100.0, 2e-6]
    assert shown(after, "memory") == "0.2 kB of RAM" and shown(before, "energy") == "2 µJ"
    assert worse_than(before, after, "energy") == "3.1 µJ against 2 µJ without" and worse_than(after, before, "energy") == ""
