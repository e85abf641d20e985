"""Walks along a row of contiguous elements in vectors, with something carried: a maximum, a sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeopt.kernels.emit.emitter import Emitter, Value, integer

CHAINS = 8  # vectors in a loop body, and chains of what is carried: as many as hide the latency of an addition
CRUMB = 4096  # elements below which a chunk of rows is not worth a claim

Body = Callable[[Value, int, Value], Value]
"""(offset, valid lanes, what is carried) -> what is carried on."""


def along(e: Emitter, n: int, start: Value, body: Body, joined: Callable[[Value, Value], Value]) -> Value:
    """Carry ``start`` through the vectors of a row of ``n`` elements, in ``CHAINS`` chains that are joined in the end."""
    whole, tail = divmod(n, e.lanes)
    chains, step = [start] * CHAINS, CHAINS * e.lanes

    def several(index: Value, *values: Value) -> Sequence[Value]:
        first = e.builder.mul(index, integer(step))
        return [body(e.builder.add(first, integer(i * e.lanes)), e.lanes, v) for i, v in enumerate(values)]

    if whole >= CHAINS:
        chains = e.loop(whole // CHAINS, chains, several)
    for i in range(whole - whole % CHAINS, whole):
        chains[i % CHAINS] = body(integer(i * e.lanes), e.lanes, chains[i % CHAINS])
    if tail:
        chains[0] = body(integer(whole * e.lanes), tail, chains[0])
    while len(chains) > 1:
        chains = [joined(a, b) for a, b in zip(chains[::2], chains[1::2], strict=True)]
    return chains[0]


def only(e: Emitter, value: Value, lanes: int, other: Value) -> Value:
    """``value`` in the first ``lanes``, ``other`` in the rest."""
    if lanes == e.lanes:
        return value
    return e.shuffle(value, other, [i if i < lanes else e.lanes + i for i in range(e.lanes)])
