"""The float end of DynamicConv and DynamicGemm: bias and activation, after integer sums where these were not scaled yet.

y = activation(sum (x_scale w_scale[c]) + bias[c])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, KernelCall, Operand, Output, Packed, Site, Tensor
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

SCALE, WEIGHT_SCALE, BIAS = 1, 4, 6


@dataclass(frozen=True)
class Channels:
    """How channels lie in the result: chunk c is ``rows`` rows of ``inner`` neighbours, channels (c mod ``groups``) inner + i."""

    chunks: int
    groups: int
    rows: int
    inner: int


def channels(site: Site) -> Channels:
    """The Channels of the first output: the last axis of a product, blocks or planes of a convolution."""
    y: Tensor = site.outputs[0]
    if site.node.op == "DynamicGemm":
        return Channels(prod(y.shape[:-1]), 1, 1, y.shape[-1])
    if y.layout.block:
        return Channels(y.shape[0] * y.blocks, y.blocks, y.plane, y.layout.block)
    return Channels(y.shape[0] * y.shape[1], y.shape[1], prod(y.shape[2:]), 1)


def end_call(site: Site, sums: Operand | None = None) -> tuple[KernelCall, ...]:
    """The call that adds the bias and activates, in place, or from int32 ``sums`` where these are given.

    None without bias and sums: then the tile activates. Raises Declined for an unknown activation.
    """
    lie, how = channels(site), activation_of(site.node)
    if sums is None and site.optional(BIAS) is None:
        return ()
    count = site.outputs[0].shape[-1 if site.node.op == "DynamicGemm" else 1]
    numbers = [_vector(site, index, count, lie) for index in (WEIGHT_SCALE, BIAS)]
    function = _function(site.target, lie, how, sums is not None)
    operands = (sums or Output(), Input(SCALE), *(Packed(n) for n in numbers), Output())
    return (KernelCall(function, operands, (), lie.chunks),)


def _vector(site: Site, index: int, count: int, lie: Channels) -> Array:
    """Constant input ``index`` for every channel in its place; zeros where it is left out and beyond the channels."""
    made = np.zeros(lie.groups * lie.inner, np.float32)
    if site.optional(index) is not None:
        made[:count] = site.constant(index).reshape(-1)
    return made


def _function(target: Target, lie: Channels, how: Activation, summed: bool) -> Callable[..., None]:
    run = vector_function(target, 5, lambda e, *pointers: _Chunk(e, lie, how, summed, *pointers).emit())
    groups, inner, size = lie.groups, lie.inner, lie.rows * lie.inner

    def finish(x: Any, scale: Any, scales: Any, b: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            first = chunk % groups * inner
            run(offset(x, chunk * size), scale, offset(scales, first), offset(b, first), offset(y, chunk * size))

    return finish


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Writes the code of one chunk: ``x`` are sums or, not ``summed``, scaled values.

    Neighbours share a channel, or have one each.
    """

    e: Emitter
    lie: Channels
    how: Activation
    summed: bool
    x: Value
    scale: Value
    scales: Value
    b: Value
    y: Value

    def emit(self) -> None:
        """All rows; the numbers of a block of channels stay in registers over them."""
        alone, inner = self.lie.inner == 1, self.lie.inner
        rows, length = (1, self.lie.rows) if alone else (self.lie.rows, inner)
        counts = [min(self.e.lanes, inner - i) for i in range(0, inner, self.e.lanes)] if rows > 1 else []
        known = [self._numbers(integer(i * self.e.lanes), count) for i, count in enumerate(counts)]

        def line(index: Value) -> list[Value]:
            start = self.e.builder.mul(index, integer(length))
            for i, (count, pair) in enumerate(zip(counts, known, strict=True)):
                self._step(self.e.builder.add(start, integer(i * self.e.lanes)), count, *pair)
            if not known:
                self._row(length)
            return []

        self.e.loop(rows, [], line)

    def _row(self, length: int) -> None:
        whole, left = divmod(length, self.e.lanes)

        def body(index: Value) -> list[Value]:
            place = self.e.builder.mul(index, integer(self.e.lanes))
            self._step(place, self.e.lanes, *self._numbers(place, self.e.lanes))
            return []

        if whole:
            self.e.loop(whole, [], body)
        if left:
            place = integer(whole * self.e.lanes)
            self._step(place, left, *self._numbers(place, left))

    def _numbers(self, place: Value, count: int) -> tuple[Value, Value]:
        """Factor and bias of the vector at ``place`` of a row."""
        e, alone = self.e, self.lie.inner == 1
        factor, bias = (e.broadcast(p) if alone else e.load_first(e.at(p, place), count) for p in (self.scales, self.b))
        return (e.mul(e.broadcast(self.scale), factor) if self.summed else factor), bias

    def _step(self, place: Value, count: int, factor: Value, bias: Value) -> None:
        e = self.e
        floats = e.builder.bitcast(e.at(self.x, place), e.vector.element.as_pointer())
        value = e.load_first(floats, count)
        if self.summed:
            value = e.mul(e.builder.sitofp(e.builder.bitcast(value, e.int_vector), e.vector), factor)
        e.store_first(self.how.apply(e, e.add(value, bias)), e.at(self.y, place), count)
