"""What an operator is here, and how its node says what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Node

Traced = Any  # an array of JAX, or of numpy where it is known when the function is traced
Operator = Callable[[Node, Sequence[Any]], Any]  # its output, or a tuple of its outputs


def known(node: Node, inputs: Sequence[Any], index: int) -> list[int] | None:
    """The integers of input ``index``, None when it is left out. Raises EdgeoptError when they depend on the data."""
    array = inputs[index] if index < len(inputs) else None
    if array is None:
        return None
    if not isinstance(array, (np.ndarray, np.generic)):
        raise EdgeoptError(f"{node!r} cannot be trained through: its input {index} is computed from the data")
    return [int(v) for v in np.asarray(array).reshape(-1)]


def axes_of(node: Node, inputs: Sequence[Any], rank: int) -> tuple[int, ...] | None:
    """The attribute or second input ``axes``, counted from the front; None when neither is there."""
    axes = node.integers("axes") or known(node, inputs, 1)
    return tuple(a % rank for a in axes) if axes else None
