"""Elementwise functions of two tensors with broadcasting."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Site
from edgeopt.kernels.emit.elements import FLOATS, Scalar, loader, scalar, static, storer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.emit.math import fmod
from edgeopt.kernels.stated import stating
from edgeopt.kernels.walk.strided import broadcast, grid, locate, row_major

Formula = Callable[[Any, Any], Any]
VARIADIC = ("Sum", "Mean", "Max", "Min")
_COMPARISONS: dict[str, Formula] = {
    "Equal": lambda x, y: x == y,
    "Greater": lambda x, y: x > y,
    "GreaterOrEqual": lambda x, y: x >= y,
    "Less": lambda x, y: x < y,
    "LessOrEqual": lambda x, y: x <= y,
}
_BOOLEAN: dict[str, Formula] = {
    "And": lambda x, y: (x != 0) & (y != 0),
    "Or": lambda x, y: (x != 0) | (y != 0),
    "Xor": lambda x, y: (x != 0) ^ (y != 0),
    "Equal": lambda x, y: (x != 0) == (y != 0),
}


@dataclass(frozen=True)
class Pair:
    """The form of a call (x, y, z): a function by its name, and element types; extents and strides are its constants."""

    name: str
    left: str
    right: str
    result: str


def _floats(kind: Scalar) -> dict[str, Formula]:
    zero = kind(0)

    def modulo(x: Any, y: Any) -> Any:
        r = fmod(x, y)
        return r + y if r != zero and (r < zero) != (y < zero) else r

    return {
        "Add": lambda x, y: x + y,
        "Sub": lambda x, y: x - y,
        "Mul": lambda x, y: x * y,
        "Div": lambda x, y: x / y,
        "Max": lambda x, y: x if x > y or x != x else y,
        "Min": lambda x, y: x if x < y or x != x else y,
        "Sum": lambda x, y: x + y,
        "Pow": lambda x, y: math.pow(x, kind(y)),
        "Pow 2": lambda x, y: x * x,
        "Pow 3": lambda x, y: x * x * x,
        "Mod": modulo,
        "Mod fmod": lambda x, y: fmod(x, y),
        "PRelu": lambda x, y: x * y if x < zero else x,
    }


def _integers(kind: Scalar) -> dict[str, Formula]:
    zero, one, width = kind(0), kind(1), kind(np.dtype(kind).itemsize * 8)

    @inline
    def truncate(x: Any, y: Any) -> Any:
        if y == zero:
            return zero
        if zero - y == one:
            return kind(zero - x)
        q = x // y
        return kind(q + one) if kind(q * y) != x and (x < zero) != (y < zero) else kind(q)

    def power(x: Any, y: Any) -> Any:
        result, factor, left = kind(1), x, y
        while left > 0:
            result = kind(result * factor) if left % 2 else result
            factor = kind(factor * factor)
            left = left // 2
        return result

    def sign_kept(x: Any, y: Any) -> Any:
        return kind(x >> (y if y < width else kind(width - one)))

    return {
        "Add": lambda x, y: x + y,
        "Sub": lambda x, y: x - y,
        "Mul": lambda x, y: x * y,
        "Div": lambda x, y: truncate(x, y),
        "Max": lambda x, y: x if x > y else y,
        "Min": lambda x, y: x if x < y else y,
        "Sum": lambda x, y: x + y,
        "Pow": power,
        "Mod": lambda x, y: kind(x - kind((x // y) * y)) if y != zero else zero,
        "Mod fmod": lambda x, y: kind(x - kind(truncate(x, y) * y)),
        "PRelu": lambda x, y: x * y if x < zero else x,
        "BitwiseAnd": lambda x, y: x & y,
        "BitwiseOr": lambda x, y: x | y,
        "BitwiseXor": lambda x, y: x ^ y,
        "BitShift LEFT": lambda x, y: kind(x << y) if y < width else zero,
        "BitShift RIGHT": sign_kept if np.dtype(kind).kind == "i" else lambda x, y: kind(x >> y) if y < width else zero,
    }


_NAMES = {**_floats(np.float32), **_integers(np.int32), **_COMPARISONS, **_BOOLEAN}


@cache
def formula(name: str, dtype: str) -> Formula:
    """The inline function (x, y) of ``name`` on elements of ``dtype``. Raises Declined."""
    kind = scalar(dtype)
    numeric = {**(_floats(kind) if dtype in FLOATS else _integers(kind)), **_COMPARISONS}
    table = _BOOLEAN if dtype == "bool" else numeric
    if name not in table:
        raise Declined(f"{name} of element type {dtype}")
    return inline(table[name])


@cache
def _kernel(name: str, left: str, right: str, result: str) -> Callable[..., None]:
    load_x, load_y, store = loader(left), loader(right), storer(result)
    apply = _mixed_power(left) if name == "Pow" and left not in FLOATS and right in FLOATS else formula(name, left)

    def kernel(
        x: Any, y: Any, z: Any, begin: Any, end: Any,
        d1: Any, d2: Any, d3: Any, m: Any, n: Any,
        x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any,
        y0: Any, y1: Any, y2: Any, y3: Any, y4: Any, y5: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            a = locate(chunk, d1, d2, d3, x0, x1, x2, x3)
            b = locate(chunk, d1, d2, d3, y0, y1, y2, y3)
            for j in range(m):
                for i in range(n):
                    value = apply(load_x(x, a + j * x4 + i * x5), load_y(y, b + j * y4 + i * y5))
                    store(z, (chunk * m + j) * n + i, value)

    return stating(kernel, Pair(name, left, right, result))


def _mixed_power(dtype: str) -> Formula:
    """A whole number to a real power, computed in float64 and cut off towards zero.

    What no element holds, NaN too, gives the lowest number on every processor, as conversions do on x86.
    """
    kind, limits = scalar(dtype), np.iinfo(dtype)
    low, above, lowest = np.float64(limits.min), np.float64(limits.max) + 1, kind(limits.min)

    @inline
    def power(x: Any, y: Any) -> Any:
        value = math.pow(np.float64(x), np.float64(y))
        return kind(np.int64(value)) if low <= value < above else lowest

    return power


def binary_call(name: str, site: Site, x: int, y: int) -> KernelCall:
    """The call that computes output 0 of ``site`` as ``name`` of its inputs ``x`` and ``y``. Raises Declined."""
    left, right, result = site.given(x), site.given(y), site.outputs[0]
    static(left, right, result)
    shape = result.shape
    cells = grid(shape, row_major(shape), broadcast(left.shape, shape), broadcast(right.shape, shape))
    key = (name, left.type.dtype, right.type.dtype, result.type.dtype)
    operands: tuple[Operand, ...] = (Input(x), Input(y), Output(0))
    return KernelCall(_kernel(*key), operands, cells.constants[:5] + cells.constants[11:], cells.chunks)


def _name(site: Site) -> str:
    node, exponent = site.node, site.inputs[1].array if len(site.inputs) > 1 and site.inputs[1] else None
    if node.op == "BitShift":
        return f"BitShift {node.text('direction', 'LEFT')}"
    if node.op == "Mod" and node.integer("fmod", 0):
        return "Mod fmod"
    if node.op == "Pow" and exponent is not None and exponent.size == 1 and site.given(0).type.dtype in FLOATS:
        power = float(exponent.reshape(-1)[0].astype(np.float64))
        return f"Pow {power:.0f}" if power in (2.0, 3.0) else "Pow"
    return node.op


def _select(site: Site) -> tuple[KernelCall, ...]:
    return (binary_call(_name(site), site, 0, 1),)


_PAIRS = tuple(n for n in _NAMES if " " not in n and n not in VARIADIC)
KERNEL = Kernel("binary", (*_PAIRS, "BitShift"), _select)
