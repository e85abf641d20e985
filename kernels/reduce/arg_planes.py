"""ArgMax and ArgMin of float32 along an axis with others behind it, as over the classes of a map: neighbours lie in the lanes.

A vector of places is carried beside the vector of extremes. NaN counts as the extreme, as in numpy. Along the last axis, and of
other types: ``arg_reduce``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from llvmlite import ir

from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Site
from edgeopt.kernels.emit.elements import require, static
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.reduce.row_vectors import CRUMB
from edgeopt.target import Target

VECTORS = 4  # of neighbours that are looked at together, which hides the latency of a comparison


def _emit(e: Emitter, n: int, inner: int, sign: str, vectors: int, x: Value, y: Value) -> None:
    """The places of the greatest (``>``) or the least (``<``), with ``=`` of the last, among ``n``, ``inner`` elements apart."""

    def ahead(value: Value, best: Value) -> Value:
        won = e.builder.fcmp_ordered(sign, value, best)
        none = e.builder.fcmp_unordered("uno", value, value)
        if "=" not in sign:
            none = e.builder.and_(none, e.builder.fcmp_ordered("ord", best, best))
        return e.builder.or_(won, none)

    def body(index: Value, label: Value, *carried: Value) -> Sequence[Value]:
        plane = e.at(x, e.builder.mul(e.builder.add(index, integer(1)), integer(inner)))
        best, places = list(carried[:vectors]), list(carried[vectors:])
        for v in range(vectors):
            value = e.load(plane, v * e.lanes)
            won = ahead(value, best[v])
            best[v], places[v] = e.builder.select(won, value, best[v]), e.builder.select(won, label, places[v])
        return [e.builder.add(label, e.integers(1)), *best, *places]

    first = [e.load(x, v * e.lanes) for v in range(vectors)]
    found = e.loop(n - 1, [e.integers(1), *first, *[e.integers(0)] * vectors], body)
    for v, places in enumerate(found[1 + vectors :]):
        e.store(e.builder.zext(places, ir.VectorType(ir.IntType(64), e.lanes)), y, v * e.lanes)


def _function(target: Target, n: int, inner: int, sign: str, vectors: int, pieces: int) -> Callable[..., None]:
    """A chunk is one of ``pieces`` of a map; its last tile is moved left to end with it."""
    run, width = vector_function(target, 2, lambda e, x, y: _emit(e, n, inner, sign, vectors, x, y)), vectors * target.lanes

    def arg_planes(x: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            outer, piece = chunk // pieces, chunk % pieces
            start, stop = piece * inner // pieces, (piece + 1) * inner // pieces
            for tile in range((stop - start + width - 1) // width):
                at = start + tile * width if start + (tile + 1) * width <= stop else stop - width
                run(offset(x, outer * n * inner + at), offset(y, outer * inner + at))

    return arg_planes


def _select(site: Site) -> tuple[KernelCall, ...]:
    x, node, target = site.given(0), site.node, site.target
    static(x, site.outputs[0])
    require(x, "float32")
    axis = node.integer("axis", 0) % len(x.shape)
    outer, n, inner = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
    if target.lanes < 4 or inner < target.lanes or n < 2:
        raise Declined("no vector of neighbours lies behind its axis, or there is nothing to compare")
    vectors = max(v for v in (1, 2, VECTORS) if v * target.lanes <= inner)
    pieces = max(1, min(inner // (vectors * target.lanes), n * inner // CRUMB))
    sign = (">" if node.op == "ArgMax" else "<") + ("=" if node.integer("select_last_index", 0) else "")
    function = _function(target, n, inner, sign, vectors, pieces)
    return (KernelCall(function, (Input(0), Output(0)), (), outer * pieces),)


KERNEL = Kernel("arg_planes", ("ArgMax", "ArgMin"), _select)
