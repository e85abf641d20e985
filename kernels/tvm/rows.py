"""Walks along a row: whole vectors, then single elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgeopt.kernels.tvm.writer import Value, Writer, constant, let


def parts(w: Writer, n: int) -> Iterator[tuple[Value, int]]:
    """The places of the vectors of a row of ``n`` elements, and of the elements left over, each inside its loop."""
    whole = n // w.lanes
    if whole:
        with w.loop(whole) as i:
            yield i * w.lanes, w.lanes
    if n % w.lanes:
        with w.loop(whole * w.lanes, n) as i:
            yield i, 1


def fold(w: Writer, n: int, term: Callable[[Value, int], Value]) -> Value:
    """The sum of ``term(place, lanes)`` over a row, as a scalar: lanes are summed side by side, then with each other."""
    vector, rest = w.local(w.lanes), w.local(1)
    w.store(vector, constant(0.0, w.lanes), 0)
    w.store(rest, constant(0.0, 1), 0)
    for at, lanes in parts(w, n):
        total = vector if lanes > 1 else rest
        w.store(total, w.load(total, 0, lanes) + term(at, lanes), 0)
    values = [w.load(vector, lane) for lane in range(w.lanes)]
    while len(values) > 1:
        half = len(values) // 2
        values = [let(a + b) for a, b in zip(values[:half], values[half:], strict=True)]
    return let(values[0] + w.load(rest, 0))
