"""Conversions between the plain and the channel-blocked layout, and the zero border of blocked tensors."""

from __future__ import annotations

from typing import Any

from edgeopt.kernels.call import Input, KernelCall, Output, Tensor
from edgeopt.kernels.intrinsics import offset


def to_blocked(source: Tensor, made: Tensor) -> KernelCall:
    """Plain N, C, H, W to blocked; lanes beyond C are set to zero, the halo is left to ``fill_halo``."""
    n, c, h, w = source.shape
    constants = (c, h, w, made.layout.block, made.blocks, made.plane, made.row, made.origin)
    return KernelCall(_to_blocked, (Input(0), Output(0)), constants, chunks=n * made.blocks)


def _to_blocked(
    x: Any, y: Any, begin: int, end: int, c: int, h: int, w: int, b: int, cb: int, plane: int, row: int, org: int
) -> None:
    for chunk in range(begin, end):
        n, block = chunk // cb, chunk % cb
        target = offset(y, (chunk * plane + org) * b)
        for i in range(h):
            for j in range(w):
                for k in range(b):
                    channel = block * b + k
                    if channel < c:
                        target[(i * row + j) * b + k] = x[((n * c + channel) * h + i) * w + j]
                    else:
                        target[(i * row + j) * b + k] = 0


def to_plain(source: Tensor, made: Tensor) -> KernelCall:
    """Blocked to plain N, C, H, W."""
    n, c, h, w = made.shape
    constants = (c, h, w, source.layout.block, source.blocks, source.plane, source.row, source.origin)
    return KernelCall(_to_plain, (Input(0), Output(0)), constants, chunks=n * source.blocks)


def _to_plain(
    x: Any, y: Any, begin: int, end: int, c: int, h: int, w: int, b: int, cb: int, plane: int, row: int, org: int
) -> None:
    for chunk in range(begin, end):
        n, block = chunk // cb, chunk % cb
        source = offset(x, (chunk * plane + org) * b)
        left = c - block * b
        for k in range(b if b < left else left):
            target = offset(y, (n * c + block * b + k) * h * w)
            for i in range(h):
                for j in range(w):
                    target[i * w + j] = source[(i * row + j) * b + k]


def fill_halo(made: Tensor) -> KernelCall:
    """Zero the border of a blocked tensor."""
    top, left, bottom, right = made.layout.halo
    constants = (made.layout.block, made.plane, made.row, top, left, bottom, right, made.shape[2])
    return KernelCall(_fill_halo, (Output(0),), constants, chunks=made.shape[0] * made.blocks)


def _fill_halo(
    y: Any, begin: int, end: int, b: int, plane: int, row: int, top: int, left: int, bottom: int, right: int, h: int
) -> None:
    for chunk in range(begin, end):
        base = offset(y, chunk * plane * b)
        for i in range(top * row * b):
            base[i] = 0
        for i in range((plane - bottom * row) * b, plane * b):
            base[i] = 0
        for i in range(top, top + h):
            for j in range(left * b):
                base[i * row * b + j] = 0
            for j in range((row - right) * b, row * b):
                base[i * row * b + j] = 0
