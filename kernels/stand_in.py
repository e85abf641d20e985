"""Kernels that serve one operator by those of another: what both need to ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, KernelCall, Site, Tensor

Select = Callable[[Site], tuple[KernelCall, ...]]


def constant(array: Array) -> Tensor:
    """A constant operand."""
    return Tensor(TensorType(array.dtype.name, array.shape), array=array)


def first_accepted(kernels: Sequence[Select], site: Site) -> tuple[KernelCall, ...]:
    """The calls of the first of ``kernels`` that serves ``site``. Raises Declined with the reasons of all when none does."""
    reasons = []
    for select in kernels:
        try:
            return select(site)
        except Declined as reason:
            reasons.append(str(reason))
    raise Declined("; ".join(reasons))
