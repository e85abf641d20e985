"""Strided copy, the building block of every op that only moves elements, and the ops that are one flat copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site
from edgeopt.kernels.emit.elements import static, storage, wanted
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.strided import RANK, grid, locate, merge, row_major

Shape = Sequence[int]
_RUN = 16


@dataclass(frozen=True)
class Copy:
    """The form of a strided copy; all of its numbers are constants of the call, in the order of ``_copy``."""


@dataclass(frozen=True)
class Fill:
    """The form of ``fill_call``: every element of a chunk of ``n`` becomes the first of the value."""


def _copy(
    x: Any, z: Any, begin: Any, end: Any, source: Any, target: Any,
    d1: Any, d2: Any, d3: Any, m: Any, n: Any,
    x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any,
    z0: Any, z1: Any, z2: Any, z3: Any, z4: Any, z5: Any,
) -> None:  # fmt: skip
    for chunk in range(begin, end):
        a = source + locate(chunk, d1, d2, d3, x0, x1, x2, x3)
        b = target + locate(chunk, d1, d2, d3, z0, z1, z2, z3)
        for j in range(m):
            for i in range(n):
                z[b + j * z4 + i * z5] = x[a + j * x4 + i * x5]


stating(_copy, Copy())


def _across(shape: Shape, source: Shape, target: Shape) -> tuple[Shape, Shape, Shape]:
    """The same box walked so that a transposition reads runs of the source: 16 of them innermost, whatever the target."""
    extents, (a, b) = merge(shape, source, target)
    runs = [k for k in range(len(extents) - 1) if a[k] == 1 and extents[k] % _RUN == 0]
    if a[-1] == 1 or not runs or len(extents) >= RANK:
        return shape, source, target
    k = runs[0]
    inner = b[k]
    extents[k], a[k], b[k] = extents[k] // _RUN, a[k] * _RUN, b[k] * _RUN
    return [*extents, _RUN], [*a, 1], [*b, inner]


def copy_call(
    source: Operand, target: Operand, shape: Shape, steps: tuple[Shape, Shape], offsets: tuple[int, int] = (0, 0)
) -> KernelCall:
    """Copy a box of ``shape``: ``steps`` and ``offsets`` are the element strides and the first element in source and target."""
    cells = grid(*_across(shape, *steps))
    return KernelCall(_copy, (source, target), (*offsets, *cells.constants), cells.chunks)


def flat_copy(site: Site, index: int = 0, output: int = 0) -> KernelCall:
    """Copy input ``index`` to ``output`` element by element, whatever the shapes. Raises Declined."""
    x, y = site.given(index), site.outputs[output]
    static(x, y)
    if x.elements != y.elements:
        raise Declined("the number of elements differs")
    return copy_call(Input(index), Output(output), (y.elements,), ((1,), (1,)))


@cache
def _fill() -> Callable[..., None]:
    def kernel(value: Any, z: Any, begin: Any, end: Any, n: Any) -> None:
        constant = value[0]
        for i in range(begin * n, end * n):
            z[i] = constant

    return stating(kernel, Fill())


def fill_call(site: Site, value: Operand | float, output: int = 0) -> KernelCall:
    """Set every element of ``output`` to the first element of ``value``, or to that number. Raises Declined."""
    y = site.outputs[output]
    static(y)
    if isinstance(value, (int, float)):
        value = Packed(np.array([value]).astype(storage(y.type.dtype)))
    cells = grid(y.shape, row_major(y.shape))
    return KernelCall(_fill(), (value, Output(output)), (y.elements // max(cells.chunks, 1),), cells.chunks)


def _select(site: Site) -> tuple[KernelCall, ...]:
    return (flat_copy(site),)


def _select_dropout(site: Site) -> tuple[KernelCall, ...]:
    if site.optional(2) is not None and bool(site.constant(2)):
        raise Declined("training mode")
    masks = (fill_call(site, 1, 1),) if wanted(site, 1) else ()
    return (flat_copy(site), *masks)


KERNELS = (
    Kernel("copy", ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"), _select),
    Kernel("dropout", ("Dropout",), _select_dropout),
)
