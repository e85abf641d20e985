"""How a loss is said."""

import pytest

from edgeopt.cli.loss import told


@pytest.mark.parametrize(
    ("points", "words"),
    [(0.75, "0.75 points lost"), (-0.5, "0.50 points gained"), (0.0, "0.00 points lost"), (-1e-14, "0.00 points lost")],
)
def test_a_gain_is_called_one(points: float, words: str) -> None:
    assert told(points) == words
