"""LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization.

The tensor is seen as contiguous rows of m * n elements; Y = (X - mean) / sqrt(variance + epsilon) * scale + bias per row, where
scale and bias are read with strides over (row modulo rows, m, n). RMSNormalization takes no mean. Two passes, mean first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, loader, require, scalar, static, storer, wanted
from edgeopt.kernels.emit.intrinsics import one_by_one, sqrt
from edgeopt.kernels.walk.strided import remainder


@cache
def _kernel(dtype: str, statistics: str, centred: bool) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    put, zero, one = storer(statistics), scalar(dtype)(0), scalar(dtype)(1)

    def kernel(
        x: Any, s: Any, b: Any, y: Any, means: Any, inverses: Any, begin: Any, end: Any, epsilon: Any,
        n: Any, keep: Any, m: Any, rows: Any, rs: Any, ms: Any, ns: Any, rb: Any, mb: Any, nb: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            one_by_one()
            first, mean, total, size = chunk * m * n, zero, zero, kind(m * n)
            if centred:
                for i in range(m * n):
                    mean += load(x, first + i)
                mean = mean / size
            for i in range(m * n):
                value = load(x, first + i) - mean
                total += value * value
            inverse = one / sqrt(total / size + kind(epsilon))
            if keep:
                put(means, chunk, mean)
                put(inverses, chunk, inverse)
            row = remainder(chunk, rows)
            for j in range(m):
                for i in range(n):
                    factor, shift = load(s, row * rs + j * ms + i * ns), load(b, row * rb + j * mb + i * nb)
                    at = first + j * n + i
                    store(y, at, (load(x, at) - mean) * inverse * factor + shift)

    return kernel


def _call(site: Site, sizes: tuple[int, int, int, int], steps: tuple[int, ...]) -> tuple[KernelCall, ...]:
    """``sizes`` are rows, rows per image, m, n; ``steps`` the strides of scale, then of bias, over (row, m, n)."""
    x, node, dtype = site.given(0), site.node, site.given(0).type.dtype
    require(x, *FLOATS)
    if any(w is not None and w.type.dtype != dtype for w in site.inputs[1:]):
        raise Declined("scale and bias differ in element type from the input")
    rows, period, m, n = sizes
    keep = wanted(site, 1) or wanted(site, 2)
    statistics = "float64" if dtype == "float64" else "float32"
    kept = [Output(i) if wanted(site, i) else Temporary(f"output{i}", rows if keep else 1, dtype=statistics) for i in (1, 2)]
    bias: Operand = Input(2) if site.optional(2) else Packed(np.zeros(1, numpy_dtype(dtype)))
    operands: tuple[Operand, ...] = (Input(0), Input(1), bias, Output(0), *kept)
    shift = steps if site.optional(2) else (0, 0, 0)
    constants = (node.real("epsilon", 1e-5), n, int(keep), m, period, *steps, *shift)
    key = (dtype, statistics, node.op != "RMSNormalization")
    return (KernelCall(_kernel(*key), operands, constants, rows),)


def _select_layer(site: Site) -> tuple[KernelCall, ...]:
    x, scale, bias = site.given(0), site.given(1), site.optional(2)
    static(x, scale, bias)
    axis = site.node.integer("axis", -1) % len(x.shape)
    n = prod(x.shape[axis:])
    wanted_shape = (1,) * axis + x.shape[axis:]
    if any(t is not None and (1,) * (len(x.shape) - len(t.shape)) + t.shape != wanted_shape for t in (scale, bias)):
        raise Declined("scale and bias do not have the shape of the normalised axes")
    return _call(site, (prod(x.shape[:axis]), 1, 1, n), (0, 0, 1))


def _select_instance(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x)
    return _call(site, (x.shape[0] * x.shape[1], x.shape[1], 1, prod(x.shape[2:])), (1, 0, 0))


def _select_group(site: Site) -> tuple[KernelCall, ...]:
    x, groups = site.given(0), site.node.integer("num_groups", 1)
    static(x, site.given(1))
    channels = x.shape[1] // groups
    steps = (channels, 1, 0) if site.given(1).elements == x.shape[1] else (1, 0, 0)
    return _call(site, (x.shape[0] * groups, groups, channels, prod(x.shape[2:])), steps)


KERNELS = (
    Kernel("layer_normalization", ("LayerNormalization", "RMSNormalization"), _select_layer),
    Kernel("instance_normalization", ("InstanceNormalization",), _select_instance),
    Kernel("group_normalization", ("GroupNormalization",), _select_group),
)
