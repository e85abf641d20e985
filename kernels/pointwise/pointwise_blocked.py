"""Elementwise operators on blocked maps, so that a network need not leave the blocked layout for them.

Unary operators, and binary ones whose second operand has the same shape, one value per channel (N or 1, C, 1, 1) or one value
in all. Constants are laid out per channel at compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.pointwise import unary_vector
from edgeopt.kernels.pointwise.blocked_rows import Walk, binary_rows, rows_of, unary_rows, walk_of
from edgeopt.kernels.pointwise.unary import formula as unary_formula
from edgeopt.kernels.pointwise.unary import parameters

_UNARY = "Relu LeakyRelu Elu Sigmoid HardSigmoid HardSwish Silu Mish Tanh Exp Abs Neg Sqrt Softplus Floor Ceil Erf Gelu".split()
_BINARY = "Add Sub Mul Div Max Min PRelu".split()


@cache
def _unary_kernel(name: str) -> Callable[..., None]:
    apply = unary_formula(name, "float32")

    def kernel(
        x: Any, y: Any, begin: Any, end: Any, height: Any, width: Any, block: Any, a: Any, b: Any,
        x0: Any, xi: Any, xr: Any, xp: Any, y0: Any, yi: Any, yr: Any, yp: Any,
    ) -> None:  # fmt: skip
        alpha, beta = np.float32(a), np.float32(b)
        for chunk in range(begin, end):
            for row in range(height):
                source, target = offset(x, x0 + chunk * xi + row * xr), offset(y, y0 + chunk * yi + row * yr)
                for i in range(width * block):
                    target[i] = apply(source[i], alpha, beta)

    return kernel


def _select_unary(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    _require_blocked(x, y)
    name = "Gelu tanh" if site.node.op == "Gelu" and site.node.text("approximate", "none") == "tanh" else site.node.op
    rows = rows_of(y, walk_of(x, y.shape))
    if site.node.op in unary_vector.OPS:
        row = unary_vector.whole_vectors(site.target, unary_vector.activation(site.node))
        return (KernelCall(unary_rows(site.target, row, rows), (Input(0), Output()), (), y.shape[0] * y.blocks),)
    constants = (rows.height, rows.width, rows.block, *parameters(site.node), *(n for w in rows.walks for n in astuple(w)))
    return (KernelCall(_unary_kernel(name), (Input(0), Output()), constants, y.shape[0] * y.blocks),)


def _select_binary(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    _require_blocked(y)
    (left, left_walk), (right, right_walk) = (_operand(site, index, y) for index in (0, 1))
    rows = rows_of(y, left_walk, right_walk)
    function = binary_rows(site.target, site.node.op, rows)
    return (KernelCall(function, (left, right, Output()), (), y.shape[0] * y.blocks),)


def _operand(site: Site, index: int, y: Tensor) -> tuple[Operand, Walk]:
    tensor = site.given(index)
    if tensor.array is not None:
        return Packed(_per_channel(tensor.array, y)), Walk(0, y.layout.block, 0, 0)
    _require_blocked(tensor)
    if tensor.shape[:2] != y.shape[:2] or tensor.shape[2:] not in (y.shape[2:], (1, 1)):
        raise Declined(f"shape {tensor.shape} does not go over {y.shape} channel by channel")
    return Input(index), walk_of(tensor, y.shape)


def _per_channel(array: Array, y: Tensor) -> Array:
    """A constant as one value per lane of every image's blocks. Raises Declined when it varies over the map."""
    shape = (1,) * (4 - array.ndim) + array.shape
    if array.ndim > 4 or shape[2:] != (1, 1):
        raise Declined(f"a constant of shape {array.shape} varies over the map")
    values = np.ones((y.shape[0], y.blocks * y.layout.block), np.float32)
    values[:, : y.shape[1]] = np.broadcast_to(array.reshape(shape)[:, :, 0, 0], y.shape[:2])
    return values


def _require_blocked(*tensors: Tensor) -> None:
    if not all(t.layout.block and t.type.dtype == "float32" for t in tensors):
        raise Declined("its operands do not lie blocked")


KERNELS = (
    Kernel("unary_blocked", tuple(_UNARY), _select_unary, layout="blocked"),
    Kernel("binary_blocked", tuple(_BINARY), _select_binary, layout="blocked"),
)
