"""FusedAttention by blocks of queries: the scores of a block stay in the nearest cache, and are nowhere kept as a whole.

For each block: scores = Q K^T by register tiles, softmax along each row, the product with V. The last two blocks of a head may
share rows, which two threads then write: each row is stored once and whole, so both store the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from edgeopt.kernels.attention.form import Form, form_of
from edgeopt.kernels.attention.keys import packed_keys
from edgeopt.kernels.attention.rows import Panels, emit_rows
from edgeopt.kernels.call import Input, Kernel, KernelCall, Output, Site, Temporary
from edgeopt.kernels.emit.emitter import F32, Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.reduce.row_vectors import along, only
from edgeopt.kernels.reduce.softmax_vector import exponential
from edgeopt.kernels.walk.strided import locate
from edgeopt.target import Target


def _select(site: Site) -> tuple[KernelCall, ...]:
    form = form_of(site)
    pack, keys = packed_keys(site.target, form)
    scores = Temporary("scores", form.block * form.padded(site.target.lanes), per_thread=True)
    mask = Output() if form.mask is None else Input(3)
    operands = (Input(0), keys, Input(2), mask, scores, Output())
    return (pack, KernelCall(_function(site.target, form), operands, (), form.heads * form.blocks))


def _function(target: Target, form: Form) -> Callable[..., None]:
    def emit(e: Emitter, q: Value, k: Value, v: Value, m: Value, s: Value, y: Value) -> None:
        _emit_block(e, form, q, k, v, m, s, y)

    block = vector_function(target, 6, emit)
    blocks, rows, final = form.blocks, form.block, form.rows - form.block
    size = form.depth * form.padded(target.lanes)
    _, d1, d2, d3 = form.extents
    (q0, q1, q2, q3), (v0, v1, v2, v3), (y0, y1, y2, y3) = form.q.stack, form.v.stack, form.y.stack
    mask = form.mask or form.y
    (m0, m1, m2, m3), q_row, m_row, y_row = mask.stack, form.q.row, mask.row, form.y.row

    def attend(q: Any, k: Any, v: Any, m: Any, s: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            head, row = chunk // blocks, chunk % blocks * rows
            row = row if row < final else final
            block(
                offset(q, locate(head, d1, d2, d3, q0, q1, q2, q3) + row * q_row),
                offset(k, head * size),
                offset(v, locate(head, d1, d2, d3, v0, v1, v2, v3)),
                offset(m, locate(head, d1, d2, d3, m0, m1, m2, m3) + row * m_row),
                s,
                offset(y, locate(head, d1, d2, d3, y0, y1, y2, y3) + row * y_row),
            )

    return attend


def _emit_block(e: Emitter, form: Form, q: Value, k: Value, v: Value, m: Value, s: Value, y: Value) -> None:
    padded = form.padded(e.lanes)
    emit_rows(e, Panels(form.scoring, form.block, form.depth, padded, form.q.row, padded), q, k, s)

    def weigh(row: Value) -> list[Value]:
        scores = e.at(s, e.builder.mul(row, integer(padded)))
        mask = None if form.mask is None else e.at(m, e.builder.mul(row, integer(form.mask.row)))
        total = _emit_softmax(e, form, scores, mask)
        _emit_scaled(e, form.keys, e.splat(e.builder.fdiv(ir.Constant(F32, 1.0), total)), scores)
        return []

    e.loop(form.block, [], weigh)
    emit_rows(e, Panels(form.mixing, form.block, form.keys, form.width, padded, form.y.row, form.v.row), s, v, y)


def _emit_softmax(e: Emitter, form: Form, s: Value, mask: Value | None) -> Value:
    """Scores become exponentials of what they are above the greatest of their row; returns the sum, a scalar."""
    least, scale = e.constant(-np.inf), e.constant(form.scale)

    def largest(at: Value, lanes: int, top: Value) -> Value:
        value = e.mul(e.load_first(e.at(s, at), lanes), scale)
        if mask is not None:
            value = e.add(value, e.load_first(e.at(mask, at), lanes))
            e.store_first(value, e.at(s, at), lanes)
        return e.maximum(only(e, value, lanes, least), top)

    top = e.splat(e.reduce_maximum(along(e, form.keys, least, largest, e.maximum)))

    def summed(at: Value, lanes: int, total: Value) -> Value:
        value = e.load_first(e.at(s, at), lanes)
        value = exponential(e, value if mask is not None else e.mul(value, scale), top)
        e.store_first(value, e.at(s, at), lanes)
        return e.add(total, only(e, value, lanes, e.constant(0.0)))

    return e.reduce_add(along(e, form.keys, e.constant(0.0), summed, e.add))


def _emit_scaled(e: Emitter, width: int, factor: Value, y: Value) -> None:
    def scaled(at: Value, lanes: int, carried: Value) -> Value:
        e.store_first(e.mul(e.load_first(e.at(y, at), lanes), factor), e.at(y, at), lanes)
        return carried

    along(e, width, factor, scaled, lambda a, b: a)


KERNEL = Kernel("attention", ("FusedAttention",), _select)
