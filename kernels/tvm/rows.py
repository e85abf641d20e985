"""Walks along a row by whole vectors; of the last one lanes may not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tvm import tirx

from edgeopt.kernels.tvm.writer import Value, Writer, constant, first_lanes, index, let, shuffle


def parts(w: Writer, n: int) -> Iterator[tuple[Value, int]]:
    """The places of the vectors of a row of ``n`` elements, in their loop, then of what is left, with the lanes there."""
    whole = n // w.lanes
    if whole:
        with w.loop(whole) as i:
            yield i * w.lanes, w.lanes
    if n % w.lanes:
        yield index(whole * w.lanes), n % w.lanes


def fold(w: Writer, n: int, term: Callable[[Value, int], Value]) -> Value:
    """The sum of the vectors ``term(place, lanes)`` over a row, in every lane; lanes that do not exist do not count."""
    total, zero = w.local(w.lanes), constant(0.0, w.lanes)
    w.store(total, zero, 0)
    for at, lanes in parts(w, n):
        value = term(at, lanes)
        if lanes < w.lanes:
            value = tirx.Select(first_lanes(lanes, w.lanes), value, zero)
        w.store(total, w.load(total, 0, w.lanes) + value, 0)
    made, apart = let(w.load(total, 0, w.lanes)), w.lanes // 2
    while apart:
        made, apart = let(made + shuffle(made, [lane ^ apart for lane in range(w.lanes)])), apart // 2
    return made
