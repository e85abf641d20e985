"""What changed decisions are expected to cost agrees with what labels say, and is known better than by counting."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array
from edgeopt.partition.codes.odds import expected_loss, odds, upper_bound


def drawn(count: int, sure: float, seed: int = 0) -> tuple[Array, Array, Array]:
    """Logits that are ``sure`` times as large as those the labels were drawn by, the labels, and true probabilities."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((count, 5))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(5, p=p) for p in true])
    return (sure * logits).astype(np.float32), labels, true


@pytest.mark.parametrize("sure", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("softmax", [False, True])
def test_probabilities_are_those_of_the_labels_however_sure_the_network_is(sure: float, softmax: bool) -> None:
    logits, labels, true = drawn(2000, sure)
    given = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if softmax else logits
    found = odds(given, labels)
    assert found is not None
    np.testing.assert_allclose(found, true, atol=0.05)


def test_the_expected_loss_is_that_of_the_labels_with_a_smaller_error() -> None:
    logits, labels, _ = drawn(20000, 2.0)
    before = logits.argmax(axis=1)
    after = (logits + np.random.default_rng(1).normal(0, 0.5, logits.shape)).argmax(axis=1)
    counted = (before == labels).astype(float) - (after == labels)
    found = odds(logits, labels)
    assert found is not None
    expected = expected_loss(found, before, after)
    assert expected.mean() == pytest.approx(counted.mean(), abs=3 * counted.std() / np.sqrt(len(counted)))
    assert expected.std() < counted.std() / 3
    assert expected.min() >= 0 and upper_bound(expected) > expected.mean()


def test_no_decision_is_never_right() -> None:
    chances = np.array([[0.7, 0.3], [0.4, 0.6]])
    np.testing.assert_allclose(expected_loss(chances, np.array([0, 1]), np.array([-1, 1])), [0.7, 0.0])


@pytest.mark.parametrize("outputs", [np.ones((3, 1)), np.full((3, 4), np.nan), np.ones((3, 2))])
def test_what_is_no_classifier_has_no_odds(outputs: Array) -> None:
    assert odds(outputs, np.array([0, 1, 2])) is None
