"""Requests that arrive together get the answers that each alone gets, whatever the others are."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.serve.answers import Answers
from edgeopt.serve.batches import run_together
from edgeopt.serve.metrics import Metrics
from edgeopt.serve.tensors import message
from tests.edgeopt.serve.doubling import ONE, Doubling


class Counting(Doubling):
    """Counts its runs."""

    runs = 0

    def run(self, inputs: Any, deadline: float | None) -> Any:
        self.runs += 1
        return super().run(inputs, deadline)


def test_requests_share_a_call_and_get_their_own_answers() -> None:
    models = {"a": Counting(), "b": Counting()}
    answers = Answers(models, 8, Metrics())
    given = [np.full((1 + i % 2, 4), i, np.float32) for i in range(9)]
    given[4][:] = np.nan
    names = ["b" if i % 4 == 3 else "a" for i in range(9)]
    asked = []
    for x, name in zip(given, names, strict=True):
        head, blob = message({}, "inputs", {"x": x})
        asked.append(answers.asked(f"/v2/models/{name}/infer", head + blob, str(len(head))))
    found = run_together(asked, 8)
    assert models["b"].runs == 1
    for index, (x, result) in enumerate(zip(given, found, strict=True)):
        if index == 4:
            assert isinstance(result, EdgeoptError)
        else:
            assert not isinstance(result, EdgeoptError)
            np.testing.assert_array_equal(result["y"], 2 * x)
    assert ONE.shape == (1, 4)
