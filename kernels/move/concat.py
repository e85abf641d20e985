"""Ops that move boxes between one tensor and several: Concat, Split, Slice."""

from __future__ import annotations

from math import prod

from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.move.copy import copy_call
from edgeopt.kernels.walk.strided import row_major


def _select_concat(site: Site) -> tuple[KernelCall, ...]:
    y = site.outputs[0]
    parts = [site.given(i) for i in range(len(site.inputs))]
    static(y, *parts)
    axis = site.node.integer("axis", 0) % len(y.shape)
    steps, place, calls = row_major(y.shape), 0, []
    for index, part in enumerate(parts):
        if part.elements:
            boxes = (row_major(part.shape), steps)
            calls.append(copy_call(Input(index), Output(0), part.shape, boxes, (0, place * steps[axis])))
        place += part.shape[axis]
    return tuple(calls)


def _select_split(site: Site) -> tuple[KernelCall, ...]:
    x = site.given(0)
    static(x, *site.outputs)
    axis = site.node.integer("axis", 0) % len(x.shape)
    steps, place, calls = row_major(x.shape), 0, []
    for index, part in enumerate(site.outputs):
        if part.elements:
            boxes = (steps, row_major(part.shape))
            calls.append(copy_call(Input(0), Output(index), part.shape, boxes, (place * steps[axis], 0)))
        place += part.shape[axis]
    return tuple(calls)


def _select_slice(site: Site) -> tuple[KernelCall, ...]:
    x, y = site.given(0), site.outputs[0]
    static(x, y)
    starts, ends = ([int(v) for v in site.constant(i).reshape(-1)] for i in (1, 2))
    axes = [int(v) for v in site.constant(3).reshape(-1)] if site.optional(3) else list(range(len(starts)))
    strides = [int(v) for v in site.constant(4).reshape(-1)] if site.optional(4) else [1] * len(starts)
    steps, offset, box = list(row_major(x.shape)), 0, row_major(x.shape)
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        axis %= len(x.shape)
        first = slice(start, end, stride).indices(x.shape[axis])[0]
        offset += first * box[axis]
        steps[axis] = stride * box[axis]
    if not prod(y.shape):
        return ()
    return (copy_call(Input(0), Output(0), y.shape, (steps, row_major(y.shape)), (offset, 0)),)


KERNELS = (
    Kernel("concat", ("Concat",), _select_concat),
    Kernel("split", ("Split",), _select_split),
    Kernel("slice", ("Slice",), _select_slice),
)
