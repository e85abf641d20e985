"""What a search says of samples that it did not see."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import FIRST, drop_bound, drop_interval, unlikely_after
from edgeopt.forms.form import EXACT, Form
from edgeopt.search.elsewhere import UNKNOWN, elsewhere
from edgeopt.search.trials import Trials

OTHERS = (0, 0, 0)  # decisions that networks turn wrong and right elsewhere, and of how many
LAYER = {"a": frozenset([Form("quantize", "w8a8")])}


class Remembered:
    """Four wrong of 200 in every network."""

    about = "these samples"

    def recall(self, what: str, *_: object) -> Any:
        return [98.0, 98.0, [1] * 4 + [0] * 196, *OTHERS] if what == "trial" else None

    def keep(self, *_: object) -> None:
        """Nothing is kept."""


def trials(max_drop: float) -> Trials:
    reference = np.tile(np.array([1, 0], np.float32), (200, 1))
    data = DataSet({"x": np.zeros((200, 1), np.float32)}, labels=np.zeros(200, np.int64))
    space = SimpleNamespace(goal=SimpleNamespace(max_drop=max_drop, late=False))
    return Trials(cast(Any, space), data, reference, cast(Any, Remembered()))


def test_what_may_be_lost_counts_the_networks_that_could_be_picked() -> None:
    made, right = trials(3.0), np.ones(200, bool)
    wrong = np.arange(200) >= 4
    assert made.reach(LAYER) == drop_interval(right, wrong)[1]
    for other in "bcd":
        made.result({other: LAYER["a"]})
    assert made.reach(LAYER) == drop_interval(right, wrong, 4)[1] > drop_interval(right, wrong)[1]


def test_networks_beyond_the_budget_could_not_be_picked() -> None:
    made = trials(1.0)
    made.result({"b": LAYER["a"]})
    assert made.reach(LAYER) == drop_interval(np.ones(200, bool), np.arange(200) >= 4)[1]
    assert made.reach({"a": EXACT}) is not None


def test_a_margin_grows_with_the_networks_that_were_refused_alone() -> None:
    made, wrong = trials(4.0), np.arange(200) >= 4
    first, few, many = [drop_bound(np.ones(200, bool), wrong, unlikely_after(refused)) for refused in (FIRST, 0, 2)]
    assert [made.bounded({layer: LAYER["a"]}) for layer in "abca"] == [first, few, few, first]
    made = trials(few - 0.01)
    assert [made.bounded({layer: LAYER["a"]}) for layer in "abcda"] == [first, few, few, many, first]
    assert made.doubtful({"a": LAYER["a"]}) and not made.doubtful({"a": EXACT})
    assert not trials(4.0).doubtful({"a": LAYER["a"]})


def test_decisions_that_change_elsewhere_count(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = np.ones(200, bool), np.arange(200) >= 4
    more = (30, 10, 200)
    monkeypatch.setattr("tests.edgeopt.test_trials.OTHERS", more)
    assert trials(12.0).bounded(LAYER) == drop_bound(right, wrong, others=more) > drop_bound(right, wrong)
    assert drop_bound(right, wrong, others=(0, 0, 200)) < drop_bound(right, wrong)  # some of those here are chance
    spread = np.sqrt((4 - 16 / 200 + 40) / 2)
    assert drop_bound(right, wrong, others=more) == pytest.approx(100 * (24 / 2 + 1.2816 * spread - 0.5) / 200, rel=1e-4)
    better = drop_bound(right, wrong, others=(10, 30, 200))
    assert better == pytest.approx(100 * (4 + 1.2816 * spread - 0.5) / 200, rel=1e-4)  # that others lose less changes nothing


@pytest.mark.parametrize(
    ("labelled", "changes"),
    [((True, True), (10, 10, 40)), ((False, False), (20, 0, 40)), ((True, False), UNKNOWN), ((False, True), UNKNOWN)],
)
def test_changes_are_of_samples_that_are_judged_alike(labelled: tuple[bool, bool], changes: tuple[int, int, int]) -> None:
    """Decisions [0, 0, 1, 1] become [0, 1, 1, 0], ten times; by the labels those of 0 are right before, and one of 1."""
    exact = np.eye(3)[[0, 0, 1, 1] * 10]
    outputs = {"exact": exact, "changed": np.eye(3)[[0, 1, 1, 0] * 10]}
    labels = np.array([0, 0, 1, 0] * 10)
    calibration, chosen = (DataSet({"x": np.zeros((40, 1))}, labels=labels if known else None) for known in labelled)

    def tell(samples: DataSet) -> tuple[int, int, int]:
        made = elsewhere(cast(Any, "exact"), samples, chosen, exact, lambda graph, data: outputs[cast(Any, graph)])
        return made(cast(Any, "changed"))

    assert tell(calibration) == changes
    assert tell(chosen) == UNKNOWN
    assert tell(replace(calibration, labels=labels[::-1] + 1)) == UNKNOWN  # labels of something else
    assert tell(replace(calibration, labels=np.array([0, 0, 1, 1] * 10))) == UNKNOWN  # learnt by heart
