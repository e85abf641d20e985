"""ArgMax and ArgMin along one axis; NaN counts as the extreme, as in numpy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import loader, static
from edgeopt.kernels.emit.intrinsics import inline


@cache
def _kernel(dtype: str, largest: bool, last: bool) -> Callable[..., None]:
    load = loader(dtype)
    better = inline(lambda x, best: x > best) if largest else inline(lambda x, best: x < best)

    def kernel(x: Any, y: Any, begin: Any, end: Any, n: Any, inner: Any) -> None:
        for chunk in range(begin, end):
            for i in range(inner):
                first, place = chunk * n * inner + i, 0
                best = load(x, first)
                for k in range(1, n):
                    value = load(x, first + k * inner)
                    tie = value == best or (value != value and best != best)
                    ahead = better(value, best) or (value != value and best == best)
                    won = ahead or (tie and last)
                    best, place = value if won else best, k if won else place
                y[chunk * inner + i] = place

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    axis = node.integer("axis", 0) % len(x.shape)
    outer, n, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    key = (x.type.dtype, node.op == "ArgMax", bool(node.integer("select_last_index", 0)))
    return (KernelCall(_kernel(*key), (Input(0), Output(0)), (n, inner), outer),)


KERNEL = Kernel("arg_reduce", ("ArgMax", "ArgMin"), _select)
