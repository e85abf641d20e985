"""Sums of products of float rows with a panel of codes, which are streamed from memory and widened in registers."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.packed.weight_codes import STEPS, group_bytes
from edgeopt.kernels.packed.weight_codes import rows as widened


@dataclass(frozen=True)
class Sums:
    """``rows`` rows of ``depth`` numbers, ``stride`` apart, times a panel of ``vectors`` vectors of codes of ``kind``."""

    kind: str
    rows: int
    vectors: int
    depth: int
    stride: int


def code_products(e: Emitter, sums: Sums, x: Value, w: Value) -> list[Value]:
    """The sums [row][vector] without the scales of the codes; x points to the rows, w to the bytes of the panel."""

    def group(index: Value, totals: list[Value], steps: int) -> list[Value]:
        here = e.at(x, e.builder.mul(index, integer(STEPS)))
        codes = e.at(w, e.builder.mul(index, integer(group_bytes(sums.kind, sums.vectors, e.lanes))))
        return _added(e, sums, here, codes, totals, steps)

    groups, totals = sums.depth // STEPS, [e.constant(0.0)] * (sums.rows * sums.vectors)
    if groups:
        totals = e.loop(groups, totals, lambda index, *values: group(index, list(values), STEPS))
    return group(integer(groups), totals, sums.depth % STEPS)


def _added(e: Emitter, sums: Sums, x: Value, w: Value, totals: list[Value], steps: int) -> list[Value]:
    """The totals and ``steps`` more products of each row."""
    read = widened(e, sums.kind, w, sums.vectors) if steps else None
    made = list(totals)
    for k in range(steps):
        inputs = [_input(e, x, i * sums.stride, k, steps) for i in range(sums.rows)]
        for v in range(sums.vectors):
            assert read is not None
            weight = read(k, v)
            for i, value in enumerate(inputs):
                made[i * sums.vectors + v] = e.fma(value, weight, made[i * sums.vectors + v])
    return made


def _input(e: Emitter, x: Value, place: int, k: int, steps: int) -> Value:
    """Step k of a row in every lane: a broadcast, or a lane of several steps where multiplications take one."""
    first = k - k % e.lanes
    if not e.target.multiplies_by_lane or first + e.lanes > steps:
        return e.broadcast(x, place + k)
    several = e.load(x, place + first)
    return e.shuffle(several, several, [k - first] * e.lanes)
