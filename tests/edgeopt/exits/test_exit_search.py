"""Exits as the last stage of a search: what leaves is counted in costs and losses, and what is reported is what was compiled."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import edgeopt
from edgeopt.cli.answer import SCHEMA_FILE
from edgeopt.cli.main import main
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.examine.curves import curves
from edgeopt.forms.exit.fitted import Candidates
from edgeopt.forms.exit.threshold import operating
from edgeopt.forms.form import FLOAT
from edgeopt.frontend import export, load
from edgeopt.frontend.notes import notes
from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.pins import Pins
from edgeopt.search.recipe import Recipe, Step
from edgeopt.search.result import Decision
from edgeopt.search.run import approximate
from edgeopt.target import host
from tests.edgeopt import runtime_oracle
from tests.edgeopt.bright_quarters import CLASSES, blobs, network

SAMPLES, FITTED = 800, 60  # few to fit on, so that not everything leaves


def searched(budget: Budget) -> tuple[Graph, Decision | None]:
    return approximate(load(network()), budget, Context(level=1), host())


def test_codes_are_read_and_the_table_of_layers_names_the_exit(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "blobs.onnx")
    for name, data in (("data", blobs(SAMPLES, 1)), ("calibration", blobs(FITTED, 2))):
        np.savez(tmp_path / f"{name}.npz", labels=np.asarray(data.labels), x=data.arrays["x"])
    arguments = ["compile", str(tmp_path / "blobs.onnx"), "--data", str(tmp_path / "data.npz"), "--forms", "w8a8,exit"]
    arguments += ["--calibration", str(tmp_path / "calibration.npz"), "--max-drop", "3", "-o", str(tmp_path / "m"), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert not list(Draft202012Validator(json.loads(SCHEMA_FILE.read_text())).iter_errors(printed))
    record, leaving = printed["result"]["quantization"], printed["result"]["exits"]
    assert [row["form"] for row in record["layers"]] == ["w8a8 + exit-margin", "w8a8", "w8a8"]
    assert record["samples"] == SAMPLES // 2 and record["before"] - record["after"] <= 3
    reached = [1.0, 1 - leaving["reported"]["shares"][0]]
    assert leaving["reported"]["macs"] < 1 and abs(record["after"] - leaving["reported"]["accuracy"]) < 1e-9
    assert record["totals"]["result"]["seconds"] == leaving["latency"]["with_exits"]["mean"]
    assert printed["result"]["islands"] == [], "heads are not layers that were left in float"
    assert 0 < reached[1] < 1 and any("leave early" in note for note in printed["notes"])
    page = (tmp_path / "m" / "report.html").read_text()
    assert "w8a8 + exit-margin" in page and "leaves at" in page
    model, fresh = edgeopt.load(tmp_path / "m"), blobs(SAMPLES, 1)
    where = model.run({"x": fresh.arrays["x"]})["y.exit"]
    assert 0 < np.mean(where == 0) < 1


def test_exits_alone_are_held_to_the_budget_and_exported() -> None:
    budget = Budget(blobs(SAMPLES, 1), blobs(FITTED, 2), 2.0, "exit-entropy")
    made, found = approximate(load(network()), budget, Context(level=1), host(), "standard")
    assert found is not None and found.leaving is not None
    assert found.forms == {"first": "exit-entropy"} and found.leaving.record["chosen"]["bound"] <= 2.0
    shares = list(found.leaving.shares.values())
    assert found.costs["result"].seconds == pytest.approx(found.costs[FLOAT].seconds * found.leaving.work)
    x = blobs(40, 1).arrays["x"]
    results = [runtime_oracle.run(export(made), {"x": sample[None]}) for sample in x]
    assert abs(np.mean([r["y.exit"][0] == 0 for r in results]) - shares[0]) < 0.25
    assert results[0]["y"].shape == (1, CLASSES)


def test_without_data_only_the_other_forms_are_carried_out() -> None:
    made, found = searched(Budget(forms="w8,exit"))
    assert found is not None and found.leaving is None and set(found.forms.values()) == {"w8"}
    assert any("no early exits: not without data" in note for note in notes(made))
    assert len(made.outputs) == 1


@pytest.mark.parametrize(("data", "why"), [(blobs(20, 1), "too few"), (DataSet(blobs(90, 1).arrays, np.zeros(90, int)), "")])
def test_a_network_without_exits_says_why(data: DataSet, why: str) -> None:
    made, found = searched(Budget(data, blobs(60, 2), 0.0, "exit", accept_chance=True))
    assert found is None and len(made.outputs) == 1
    assert [note for note in notes(made) if note.startswith("no early exits: ") and why in note]


def test_exits_are_for_networks_and_where_a_recipe_has_them() -> None:
    with pytest.raises(EdgeoptError, match="layer 'first' cannot become 'exit-margin' here: exits are chosen for a network"):
        searched(Budget(blobs(80, 1), blobs(60, 2), pins=Pins(forms={"first": "exit-margin"}, alone=True)))
    nowhere = Recipe("nowhere", "", (Step("exit", ("exit-margin",), ("*last*",)),))
    made, found = searched(Budget(blobs(80, 1), blobs(60, 2), 100.0, recipe=nowhere))
    assert found is None and any("no early exits: the recipe" in note for note in notes(made))


def test_losses_count_from_the_network_that_all_began_with() -> None:
    """A network that was worse already leaves less of the budget: what it lost is in the loss and in its bound."""
    sure, right = [np.full(4, 0.9)], [np.array([1, 1, 0, 0], bool), np.array([1, 1, 1, 0], bool)]
    assert operating(sure, right, [0.5, 1.0], 0.5).loss == 25.0
    base = np.ones(4, bool)
    assert operating(sure, [*right, base], [0.5, 1.0], 0.5).loss == 50.0
    assert operating(sure, [*right, base], [0.5, 1.0], 2.0).loss == 25.0, "where nothing leaves, what was lost before"
    graph, data, calibration = load(network()), blobs(200, 1), blobs(100, 2)
    plain = Candidates(graph, calibration, data)
    ideal = 5.0 * np.eye(CLASSES)[np.asarray(data.labels)]
    judged = Candidates(graph, calibration, data, reference=ideal)
    np.testing.assert_array_equal(plain.answers.base, plain.answers.end)
    assert judged.answers.base.all() and not plain.answers.end.all()
    unlabelled = Candidates(graph, replace(calibration, labels=None), replace(data, labels=None), reference=ideal)
    np.testing.assert_array_equal(unlabelled.answers.targets, data.labels)


def test_why_shows_the_heads(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "blobs.onnx")
    (point,) = curves(tmp_path / "blobs.onnx", "exit", blobs(300, 1))
    assert (point.layer, point.form, point.bytes % 16, point.step) == ("first", "exit-margin", 0, None)
    assert 0 < point.error < 0.5
    with pytest.raises(EdgeoptError, match="without other forms"):
        curves(tmp_path / "blobs.onnx", "exit,w8a8", blobs(300, 1))
