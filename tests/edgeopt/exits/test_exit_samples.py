"""Samples that exits cannot be fitted to, or that would promise too much, are one message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.examine.exits import with_exits
from edgeopt.forms.exit.fitted import Candidates
from edgeopt.forms.exit.shared import refuse_shared
from edgeopt.frontend import load
from tests.edgeopt.bright_quarters import blobs, network

FIRST, SECOND = blobs(60, 1), blobs(100, 2)


def changed(data: DataSet, sample: int, value: float) -> DataSet:
    """``data`` with one number of a sample replaced."""
    x = data.arrays["x"].copy()
    x[sample, 0, 0, 0] = value
    return replace(data, arrays={"x": x})


@pytest.mark.parametrize(
    ("calibration", "data", "message"),
    [
        (SECOND, SECOND, "100 of 100 samples of --data are among those of --calibration"),
        (replace(FIRST, labels=np.full(60, 3)), SECOND, "the samples of --calibration are of the class 3"),
        (FIRST, replace(SECOND, labels=np.zeros(100, np.int64)), "the samples of --data are of the class 0"),
        (changed(FIRST, 7, np.inf), SECOND, "is not finite for some samples of --calibration"),
        (FIRST, changed(replace(SECOND, labels=None), 7, np.inf), "of which the network decides nothing"),
    ],
)
def test_what_nothing_can_be_learnt_from(calibration: DataSet, data: DataSet, message: str) -> None:
    with pytest.raises(EdgeoptError, match=message):
        Candidates(load(network()), calibration, data)


def test_a_few_samples_may_be_in_both() -> None:
    some = {"x": np.concatenate([FIRST.arrays["x"][:5], SECOND.arrays["x"]])}
    refuse_shared(FIRST, DataSet(some))
    with pytest.raises(EdgeoptError, match="20 of 120"):
        refuse_shared(FIRST, DataSet({"x": np.concatenate([FIRST.arrays["x"][:20], SECOND.arrays["x"]])}))


def test_a_network_that_guesses_has_no_accuracy_to_lose(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "blobs.onnx")
    labels = np.random.default_rng(0).integers(0, 4, 100)
    with pytest.raises(EdgeoptError, match="no more than guessing gives"):
        with_exits(tmp_path / "blobs.onnx", replace(SECOND, labels=labels), FIRST)
