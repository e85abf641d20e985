"""Walks along a row of contiguous elements in vectors, with something carried: a maximum, a sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeopt.kernels.emit.emitter import Emitter, Value, integer

UNROLLED = 4  # vectors in a loop body, and chains of what is carried
CRUMB = 4096  # elements below which a chunk of rows is not worth a claim

Body = Callable[[Value, int, Value], Value]
"""(offset, valid lanes, what is carried) -> what is carried on."""


def along(e: Emitter, n: int, start: Value, body: Body, joined: Callable[[Value, Value], Value]) -> Value:
    """Carry ``start`` through the vectors of a row of ``n`` elements, in ``UNROLLED`` chains that are joined in the end."""
    whole, tail = divmod(n, e.lanes)
    chains, step = [start] * UNROLLED, UNROLLED * e.lanes

    def several(index: Value, *values: Value) -> Sequence[Value]:
        first = e.builder.mul(index, integer(step))
        return [body(e.builder.add(first, integer(i * e.lanes)), e.lanes, v) for i, v in enumerate(values)]

    if whole >= UNROLLED:
        chains = e.loop(whole // UNROLLED, chains, several)
    for i in range(whole - whole % UNROLLED, whole):
        chains[i % UNROLLED] = body(integer(i * e.lanes), e.lanes, chains[i % UNROLLED])
    if tail:
        chains[0] = body(integer(whole * e.lanes), tail, chains[0])
    return joined(joined(chains[0], chains[1]), joined(chains[2], chains[3]))


def only(e: Emitter, value: Value, lanes: int, other: Value) -> Value:
    """``value`` in the first ``lanes``, ``other`` in the rest."""
    if lanes == e.lanes:
        return value
    return e.shuffle(value, other, [i if i < lanes else e.lanes + i for i in range(e.lanes)])
