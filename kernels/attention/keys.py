"""Keys made ready for the product with queries: transposed, in panels of some vectors ``[head][panel][depth][vector][lane]``.

Lanes beyond the last key repeat it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeopt.kernels.attention.form import Form
from edgeopt.kernels.call import Declined, Input, KernelCall, Temporary
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.walk.strided import locate
from edgeopt.target import Target


def packed_keys(target: Target, form: Form) -> tuple[KernelCall, Temporary]:
    """The call that packs the keys, and where it does. Raises Declined for keys that lie together in neither direction."""
    lanes = target.lanes
    vectors = form.padded(lanes) // lanes
    made = Temporary("keys", form.heads * form.depth * vectors * lanes)
    if form.k.row != 1 and form.k.column != 1:
        raise Declined("the elements of a key do not lie side by side")
    pieces = _columns(target, form) if form.k.column == 1 else _rows(target, form)
    return KernelCall(_function(target, form, *pieces), (Input(1), made), (), form.heads * vectors), made


def _function(target: Target, form: Form, whole: Callable[[int], Any], step: int) -> Callable[..., None]:
    """``whole(n)`` moves ``n`` keys of ``step`` elements of their depth to a vector each."""
    lanes, depth = target.lanes, form.depth
    total = form.padded(lanes) // lanes
    most = form.scoring.vectors
    full, tail = whole(lanes), whole(form.keys - (total - 1) * lanes)
    steps, last, row, column = -(-depth // step), depth - step, form.k.row, form.k.column
    _, d1, d2, d3 = form.extents
    s0, s1, s2, s3 = form.k.stack
    size, rest = depth * lanes, total % most or most

    def pack(x: Any, y: Any, begin: Any, end: Any) -> None:
        for chunk in range(begin, end):
            head, vector = chunk // total, chunk % total
            panel = vector // most
            width = most if (panel + 1) * most <= total else rest
            source = offset(x, locate(head, d1, d2, d3, s0, s1, s2, s3) + vector * lanes * row)
            target = offset(y, (head * total + panel * most) * size + (vector - panel * most) * lanes)
            for s in range(steps):
                k = s * step if s * step < last else last
                if vector < total - 1:
                    full(offset(source, k * column), offset(target, k * width * lanes), width * lanes)
                else:
                    tail(offset(source, k * column), offset(target, k * width * lanes), width * lanes)

    return pack


def _columns(target: Target, form: Form) -> tuple[Callable[[int], Any], int]:
    """Keys whose elements lie side by side are transposed in registers."""
    lanes = target.lanes
    width = min(lanes, 1 << form.depth.bit_length() - 1)

    def piece(count: int) -> Any:
        rows = tuple(min(i, count - 1) * form.k.row for i in range(lanes))

        def emit(e: Emitter, x: Value, y: Value, stride: Value) -> None:
            places = [e.builder.mul(stride, integer(c)) for c in range(width)]
            values = [e.load_first(e.at(x, row), width) for row in rows]
            for place, value in zip(places, e.transpose(values), strict=False):
                e.store(value, e.at(y, place))

        return vector_function(target, 3, emit)

    return piece, width


def _rows(target: Target, form: Form) -> tuple[Callable[[int], Any], int]:
    """Elements of neighbouring keys that lie side by side are copied."""

    def piece(count: int) -> Any:
        def emit(e: Emitter, x: Value, y: Value, stride: Value) -> None:
            value = e.load_first(x, count)
            e.store(e.shuffle(value, value, [min(i, count - 1) for i in range(e.lanes)]), y)

        return vector_function(target, 3, emit)

    return piece, 1
