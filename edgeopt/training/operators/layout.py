"""Maps with their channels behind, which is the layout that XLA has fast code for on processors.

Values of the graph are [N, C, ...] as ONNX has them. Whatever computes on maps turns them, and turns back what it made: two turns
that follow each other are one that moves nothing, so that only the first and last operator of a chain pay for theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeopt.training.operators.definition import Traced

MAP = 4  # axes of a map, of fewer of which the layout matters little


def channels_last(x: Traced) -> Traced:
    """[N, C, ...] as [N, ..., C]."""
    return x.transpose((0, *range(2, x.ndim), 1))


def channels_first(x: Traced) -> Traced:
    """[N, ..., C] as [N, C, ...]."""
    return x.transpose((0, x.ndim - 1, *range(1, x.ndim - 1)))


def elementwise(function: Callable[..., Traced], operands: Sequence[Any]) -> Traced:
    """``function`` of operands that broadcast, on maps with their channels behind where all of them are maps or numbers."""
    ranks = {np.ndim(x) for x in operands if x is not None} - {0}
    if len(ranks) != 1 or min(ranks) < MAP:
        return function(*operands)
    return channels_first(function(*(x if x is None or np.ndim(x) == 0 else channels_last(x) for x in operands)))
