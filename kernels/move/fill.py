"""Ops whose result does not depend on the elements of an input: ConstantOfShape, EyeLike, Shape, Size; and Range."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Packed, Site
from edgeopt.kernels.emit.elements import loader, scalar, static, storage, storer
from edgeopt.kernels.move.copy import copy_call, fill_call


def _given(site: Site, array: Array) -> KernelCall:
    """Output 0 is ``array``."""
    data = Packed(np.ascontiguousarray(array.reshape(-1), storage(site.outputs[0].type.dtype)))
    return copy_call(data, Output(0), (array.size,), ((1,), (1,)))


def _select_constant(site: Site) -> tuple[KernelCall, ...]:
    value = site.node.attributes.get("value")
    array = value.reshape(-1) if isinstance(value, np.ndarray) else np.zeros(1, np.float32)
    return (fill_call(site, Packed(array.view(storage(site.outputs[0].type.dtype)))),)


def _select_eye(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    static(y)
    (rows, columns), k = y.shape, site.node.integer("k", 0)
    first = k if k >= 0 else -k * columns
    count = max(min(rows + min(k, 0), columns - max(k, 0)), 0)
    one = Packed(np.ones(1, storage(y.type.dtype)) if y.type.dtype != "float16" else np.array([0x3C00], np.uint16))
    if not count:
        return (fill_call(site, 0),)
    return (fill_call(site, 0), copy_call(one, Output(0), (count,), ((0,), (columns + 1,)), (0, first)))


def _select_shape(site: Site) -> tuple[KernelCall, ...]:
    x, node = site.given(0), site.node
    static(x)
    if node.op == "Size":
        return (_given(site, np.array([x.elements])),)
    rank = len(x.shape)
    start, end = node.integer("start", 0), node.integer("end", rank)
    return (_given(site, np.array(x.shape[slice(start, end)], np.int64)),)


@cache
def _range(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)

    def kernel(start: Any, delta: Any, y: Any, begin: Any, end: Any, n: Any) -> None:
        for _ in range(begin, end):
            for i in range(n):
                store(y, i, load(start, 0) + kind(i) * load(delta, 0))

    return kernel


def _select_range(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    static(y)
    key = (y.type.dtype,)
    return (KernelCall(_range(*key), (Input(0), Input(2), Output(0)), (y.elements,), 1),)


KERNELS = (
    Kernel("constant_of_shape", ("ConstantOfShape",), _select_constant),
    Kernel("eye_like", ("EyeLike",), _select_eye),
    Kernel("shape", ("Shape", "Size"), _select_shape),
    Kernel("range", ("Range",), _select_range),
)
