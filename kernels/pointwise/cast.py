"""Cast and CastLike between floats, integers and bool, and of integers to those below a byte."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, INTEGERS, loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.move.copy import flat_copy
from edgeopt.kernels.walk.strided import grid, row_major

NARROW = {"int4": 4, "uint4": 4, "int2": 6, "uint2": 6}  # bits of the byte that they leave free


def _conversion(source: str, result: str) -> Callable[[Any], Any]:
    """Floats go to an integer through int64, so that negative numbers wrap in unsigned types as they do in numpy."""
    if result == "bool":
        zero = scalar(source)(0)
        return inline(lambda x: x != zero)
    kind = scalar(result)
    if result in NARROW:
        free = kind(NARROW[result])
        return inline(lambda x: kind(kind(kind(x) << free) >> free))
    if source in FLOATS and result in INTEGERS and result != "int32":
        return inline(lambda x: kind(np.int64(x)))
    return inline(lambda x: kind(x))


@cache
def _kernel(source: str, result: str) -> Callable[..., None]:
    load, store, convert = loader(source), storer(result), _conversion(source, result)

    def kernel(x: Any, y: Any, begin: Any, end: Any, n: Any) -> None:
        for i in range(begin * n, end * n):
            store(y, i, convert(load(x, i)))

    return kernel


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    source, result = x.type.dtype, y.type.dtype
    if source == result:
        return (flat_copy(site),)
    if result not in (*FLOATS, *INTEGERS, "bool", *(NARROW if source in INTEGERS else ())):
        raise Declined(f"cast to {result}")
    cells = grid(y.shape, row_major(y.shape))
    constants = (y.elements // max(cells.chunks, 1),)
    return (KernelCall(_kernel(source, result), (Input(0), Output(0)), constants, cells.chunks),)


KERNEL = Kernel("cast", ("Cast", "CastLike"), _select)
