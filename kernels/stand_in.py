"""Kernels that serve one operator by those of another: what both need to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, Site, Tensor

Served = TypeVar("Served")


def constant(array: Array) -> Tensor:
    """A constant operand."""
    return Tensor(TensorType(array.dtype.name, array.shape), array=array)


def first_accepted(kernels: Sequence[Callable[[Site], Served]], site: Site) -> Served:
    """What the first of ``kernels`` that serves ``site`` makes for it. Raises Declined with the reasons of all when none does."""
    reasons = []
    for serve in kernels:
        try:
            return serve(site)
        except Declined as reason:
            reasons.append(str(reason))
    raise Declined("; ".join(reasons))
