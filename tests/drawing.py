"""The generator from which tests draw numbers; it begins again before each of them, whichever ran before."""

from __future__ import annotations

import numpy as np

SEED = 7
RNG = np.random.default_rng(SEED)


def begin_again() -> None:
    """The next number drawn is the first one."""
    RNG.bit_generator.state = np.random.default_rng(SEED).bit_generator.state
