"""ReduceMax, ReduceMin and GlobalMaxPool of float32 over the last axes, in vectors: the elements of a row lie in the lanes.

A row that holds what is no number gives that. Where other axes are reduced, whole rows are taken together already (``reduce``).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.reduce.reduce import reduced_axes
from edgeopt.kernels.reduce.row_vectors import CRUMB, along, only
from edgeopt.target import Target


def _emit(e: Emitter, n: int, sign: str, x: Value, y: Value) -> None:
    """The greatest (``>``) or the least (``<``) of a row of ``n``."""
    worst = e.constant(-np.inf if sign == ">" else np.inf)

    def better(value: Value, best: Value) -> Value:
        ahead = e.builder.fcmp_ordered(sign, value, best)
        return e.builder.select(e.builder.or_(ahead, e.builder.fcmp_unordered("uno", value, value)), value, best)

    def body(at: Value, lanes: int, best: Value) -> Value:
        return better(only(e, e.load_first(e.at(x, at), lanes), lanes, worst), best)

    e.builder.store(e.halved(along(e, n, worst, body, better), better), y)


def _function(target: Target, n: int, rows: int, per: int, sign: str) -> Callable[..., None]:
    run = vector_function(target, 2, lambda e, x, y: _emit(e, n, sign, x, y))

    def extreme(x: Any, y: Any, begin: int, end: int) -> None:
        for row in range(begin * per, end * per if end * per < rows else rows):
            run(offset(x, row * n), offset(y, row))

    return extreme


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, target = site.given(0), site.target
    static(x, site.outputs[0])
    require(x, "float32")
    axes, rank = reduced_axes(site), len(x.shape)
    n = prod(x.shape[axes[0] :]) if axes else 0
    if axes != tuple(range(rank - len(axes), rank)) or n < 2 * target.lanes or target.lanes < 4:
        raise Declined("its rows are shorter than two vectors, or other axes than the last are reduced")
    rows, per = prod(x.shape[: axes[0]]), max(1, CRUMB // n)
    function = _function(target, n, rows, per, "<" if site.node.op == "ReduceMin" else ">")
    return (KernelCall(function, (Input(0), Output(0)), (), -(-rows // per)),)


KERNEL = Kernel("extreme_vector", ("ReduceMax", "ReduceMin", "GlobalMaxPool"), _select)
