"""A budget that is judged on few samples says so, and how far the loss may reach."""

from __future__ import annotations

import numpy as np
import pytest

import edgeopt
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_interval, weighs_too_much
from edgeopt.search.result import Decision
from tests.edgeopt.command_line import DIGITS, EVALUATION
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_exchange import classifier


@pytest.mark.parametrize("labelled", [True, False])
def test_a_budget_on_three_samples_is_said_to_be_loose(labelled: bool) -> None:
    data = np.load(EVALUATION)
    few = DataSet({"image": data["image"][:3]}, data["labels"][:3] if labelled else None)
    made = edgeopt.compile(DIGITS, 3, data=few, options=edgeopt.Options(quantize="w8a8"))
    (said,) = (note for note in made.manifest["notes"] if "judged on" in note)
    same = np.ones(2, bool)  # half of three calibrates
    assert "on 2 samples, each of which is 50 points" in said
    assert f"up to {drop_interval(same, same)[1]:.1f} points" in said


@pytest.mark.parametrize(("samples", "budget", "said"), [(99, 1.0, True), (100, 1.0, False), (100, 0.0, False), (19, 5.0, True)])
def test_enough_are_those_of_which_one_weighs_no_more_than_the_budget(samples: int, budget: float, said: bool) -> None:
    found = Decision([], "", "w8a8", {"conv": "w8a8"}, samples=samples, max_drop=budget, reach=2.0)
    assert bool(found.caution()) == said
    assert not Decision([], "", "w8a8", {"conv": "w8a8"}).caution()


def test_why_says_how_many_samples_its_figures_are_of() -> None:
    shown = command("why", DIGITS, "--data", EVALUATION, "--samples", "8")
    assert shown.exit_code == 0 and "what w8a8 costs, on 8 samples" in shown.stdout


def test_layers_have_mild_forms_where_few_samples_choose() -> None:
    model, data = classifier()
    few, options = data.take(slice(0, 10)), edgeopt.Options(prefer="size", onnx=False)
    made = edgeopt.compile(model, 3, data=few, calibration=data.take(slice(100, 200)), options=options)
    assert any("mild forms at most: the 10 samples that choose" in note for note in made.manifest["notes"])
    assert max(layer["error"] for layer in made.manifest["quantization"]["layers"]) < 0.03
    assert weighs_too_much(99, 1.0) and not weighs_too_much(100, 0.5) and not weighs_too_much(20, 5.0)
