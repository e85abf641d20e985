"""For tests that ask something of their numbers: they draw the same ones, whichever tests ran before."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.harness import RNG, SEED


@pytest.fixture
def drawn_anew() -> None:
    """The generator that tests share begins again."""
    RNG.bit_generator.state = np.random.default_rng(SEED).bit_generator.state
