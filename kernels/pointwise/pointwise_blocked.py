"""Elementwise operators on blocked maps, so that a network need not leave the blocked layout for them.

Unary operators, and binary ones whose second operand has the same shape, one value per channel (N or 1, C, 1, 1) or one value
in all. Constants are laid out per channel at compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.pointwise.binary import formula as binary_formula
from edgeopt.kernels.pointwise.unary import formula as unary_formula
from edgeopt.kernels.pointwise.unary import parameters

_UNARY = "Relu LeakyRelu Elu Sigmoid HardSigmoid HardSwish Silu Mish Tanh Exp Abs Neg Sqrt Softplus Floor Ceil Erf Gelu".split()
_BINARY = "Add Sub Mul Div Max Min PRelu".split()


def _walk(tensor: Tensor, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Origin and element strides (image block, row, pixel) of a blocked operand; a map of 1x1 is read at every pixel."""
    block = tensor.layout.block
    one = tensor.shape[2:] == (1, 1) and shape[2:] != (1, 1)
    steps = (0, 0) if one else (tensor.row * block, block)
    return tensor.origin * block, tensor.plane * block, *steps


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


@cache
def _binary_kernel(name: str) -> Callable[..., None]:
    apply = binary_formula(name, "float32")

    def kernel(
        x: Any, z: Any, y: Any, begin: Any, end: Any, height: Any, width: Any, block: Any,
        x0: Any, xi: Any, xr: Any, xp: Any, z0: Any, zi: Any, zr: Any, zp: Any, y0: Any, yi: Any, yr: Any, yp: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            for row in range(height):
                left, right = offset(x, x0 + chunk * xi + row * xr), offset(z, z0 + chunk * zi + row * zr)
                target = offset(y, y0 + chunk * yi + row * yr)
                for j in range(width):
                    for i in range(block):
                        target[j * yp + i] = apply(left[j * xp + i], right[j * zp + i])

    return kernel


def _select_unary(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    _require_blocked(x, y)
    name = "Gelu tanh" if site.node.op == "Gelu" and site.node.text("approximate", "none") == "tanh" else site.node.op
    constants = (*y.shape[2:], y.layout.block, *parameters(site.node), *_walk(x, y.shape), *_walk(y, y.shape))
    return (KernelCall(_unary_kernel(name), (Input(0), Output()), constants, y.shape[0] * y.blocks),)


def _select_binary(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    _require_blocked(y)
    (left, left_walk), (right, right_walk) = (_operand(site, index, y) for index in (0, 1))
    constants = (*y.shape[2:], y.layout.block, *left_walk, *right_walk, *_walk(y, y.shape))
    function = _binary_kernel(site.node.op)
    return (KernelCall(function, (left, right, Output()), constants, y.shape[0] * y.blocks),)


def _operand(site: Site, index: int, y: Tensor) -> tuple[Operand, tuple[int, int, int, int]]:
    tensor = site.given(index)
    if tensor.array is not None:
        return Packed(_per_channel(tensor.array, y)), (0, y.layout.block, 0, 0)
    _require_blocked(tensor)
    if tensor.shape[:2] != y.shape[:2] or tensor.shape[2:] not in (y.shape[2:], (1, 1)):
        raise Declined(f"shape {tensor.shape} does not go over {y.shape} channel by channel")
    return Input(index), _walk(tensor, y.shape)


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
