"""Sum, Mean, Max and Min of several tensors: a chain of binary steps in the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Output, Site
from edgeopt.kernels.emit.elements import loader, scalar, static, storer
from edgeopt.kernels.move.copy import flat_copy
from edgeopt.kernels.pointwise.binary import VARIADIC, binary_call, formula
from edgeopt.kernels.walk.strided import broadcast, grid, locate, row_major


@cache
def _accumulate(name: str, dtype: str) -> Callable[..., None]:
    load, store, apply = loader(dtype), storer(dtype), formula(name, dtype)
    kind = scalar(dtype)

    def kernel(
        x: Any, z: Any, begin: Any, end: Any,
        d1: Any, d2: Any, d3: Any, m: Any, n: Any,
        x0: Any, x1: Any, x2: Any, x3: Any, x4: Any, x5: Any,
    ) -> None:  # fmt: skip
        for chunk in range(begin, end):
            a = locate(chunk, d1, d2, d3, x0, x1, x2, x3)
            for j in range(m):
                for i in range(n):
                    at = (chunk * m + j) * n + i
                    store(z, at, kind(apply(load(z, at), load(x, a + j * x4 + i * x5))))

    return kernel


def _select_variadic(site: Site) -> tuple[KernelCall, ...]:
    count, result = len(site.inputs), site.outputs[0]
    if count == 1:
        return (flat_copy(site),)
    name = "Sum" if site.node.op == "Mean" else site.node.op
    calls = [binary_call(name, site, 0, 1)]
    for index in range(2, count):
        operand = site.given(index)
        static(operand)
        cells = grid(result.shape, row_major(result.shape), broadcast(operand.shape, result.shape))
        calls.append(_chained(name, result.type.dtype, index, cells.constants[:5] + cells.constants[11:], cells.chunks))
    if site.node.op == "Mean":
        calls.append(_mean(site, count))
    return tuple(calls)


def _chained(name: str, dtype: str, index: int, constants: tuple[int, ...], chunks: int) -> KernelCall:
    operands: tuple[Operand, ...] = (Input(index), Output(0))
    return KernelCall(_accumulate(name, dtype), operands, constants, chunks)


@cache
def _scale(dtype: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)

    def kernel(z: Any, begin: Any, end: Any, n: Any, count: Any) -> None:
        for i in range(begin * n, end * n):
            store(z, i, load(z, i) / kind(count))

    return kernel


def _mean(site: Site, count: int) -> KernelCall:
    result = site.outputs[0]
    cells = grid(result.shape, row_major(result.shape))
    dtype = result.type.dtype
    return KernelCall(_scale(dtype), (Output(0),), (result.elements // cells.chunks, count), cells.chunks)


KERNEL = Kernel("variadic", VARIADIC, _select_variadic)
