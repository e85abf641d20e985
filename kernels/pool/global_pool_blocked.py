"""GlobalAveragePool, GlobalMaxPool and their ReduceMean form in the blocked layout: one vector of channels at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.target import Target

TOGETHER = 8  # positions whose sums are kept apart, to hide the latency of an addition


@dataclass(frozen=True)
class Plane:
    """A plane of ``height`` x ``width`` positions, lines ``row`` positions apart (a plane without halo is one line)."""

    height: int
    width: int
    row: int
    block: int
    maximum: bool


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a global pool. Raises Declined for other axes, types and layouts."""
    x, y, lanes = site.given(0), site.outputs[0], site.target.lanes
    if not x.layout.block or not y.layout.block or x.type.dtype != "float32" or y.plane != 1:
        raise Declined("its operands do not lie blocked")
    if site.node.op == "ReduceMean" and _axes(site.node) != (2, 3):
        raise Declined("it reduces other axes than height and width")
    _, _, height, width = x.shape
    flat = x.plane == height * width
    size = (1, height * width) if flat else (height, width)
    plane = Plane(*size, x.row, x.layout.block, site.node.op == "GlobalMaxPool")
    vectors = x.shape[0] * x.blocks * x.layout.block // lanes
    chunks = max(1, min(16, vectors * height * width // 4096))
    geometry = (vectors, chunks, x.plane * x.layout.block, x.origin * x.layout.block, x.layout.block, lanes)
    return (KernelCall(_function(site.target, plane, geometry), (Input(0), Output()), (), chunks),)


def _axes(node: Node) -> tuple[int, ...]:
    given = node.constant(1)
    axes = given.reshape(-1).tolist() if given is not None else node.integers("axes")
    return tuple(sorted(int(a) % 4 for a in axes)) if node.integer("keepdims", 1) else ()


def _function(target: Target, plane: Plane, geometry: Sequence[int]) -> Callable[..., None]:
    vectors, chunks, stride, origin, block, lanes = geometry
    reduce = vector_function(target, 2, lambda e, x, y: _emit(e, plane, x, y))

    def pool(x: Any, y: Any, begin: int, end: int) -> None:
        for v in range(begin * vectors // chunks, end * vectors // chunks):
            first = v * lanes
            reduce(offset(x, first // block * stride + origin + first % block), offset(y, first))

    return pool


def _emit(e: Emitter, plane: Plane, x: Value, y: Value) -> None:
    """Reduce one vector of channels over the plane: ``TOGETHER`` positions at a time, then the rest of each row."""
    combine = e.maximum if plane.maximum else e.add
    start = e.constant(float("-inf") if plane.maximum else 0.0)

    def line(index: Value, *values: Value) -> list[Value]:
        here, total = e.at(x, e.builder.mul(index, integer(plane.row * plane.block))), list(values)

        def several(k: Value, *sums: Value) -> list[Value]:
            place = e.at(here, e.builder.mul(k, integer(TOGETHER * plane.block)))
            return [combine(s, e.load(place, i * plane.block)) for i, s in enumerate(sums)]

        if plane.width >= TOGETHER:
            total = e.loop(plane.width // TOGETHER, total, several)
        for i in range(plane.width - plane.width % TOGETHER, plane.width):
            total[i % TOGETHER] = combine(total[i % TOGETHER], e.load(here, i * plane.block))
        return total

    sums = e.loop(plane.height, [start] * TOGETHER, line)
    while len(sums) > 1:
        sums = [combine(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
    e.store(sums[0] if plane.maximum else e.mul(sums[0], e.constant(1 / (plane.height * plane.width))), y)


KERNEL = Kernel("global_pool_blocked", ("GlobalAveragePool", "GlobalMaxPool", "ReduceMean"), select, layout="blocked")
