"""Operators along axes: reductions, arguments of extremes, softmax, running sums, the best k, sequences and triangles."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, size
from edgeopt.ops.permutation import REDUCTIONS


def _reduce(operands: Operands) -> None:
    shape, node = operands.shape(0), operands.node
    operands.vector(1)
    given = operands.numbers(1) if operands.given(1) else list(node.integers("axes"))
    if given is None:
        return
    axes = operands.axes(given, len(shape))
    if not axes and not node.integer("noop_with_empty_axes", 0):
        axes = list(range(len(shape)))
    keep = node.integer("keepdims", 1)
    dims = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
    operands.yields(dims)


def _argument(operands: Operands) -> None:
    shape, keep = operands.shape(0), operands.node.integer("keepdims", 1)
    axis = operands.axis(operands.node.integer("axis", 0), operands.rank(0, 1))
    rest = (*shape[:axis], *shape[axis + 1 :])
    operands.need(shape[axis] > 0 or size(rest) == 0, f"axis {axis} of {operands.label(0)} holds nothing to choose from")
    operands.yields((*shape[:axis], *(1,) * bool(keep), *shape[axis + 1 :]))


def softmax(operands: Operands) -> None:
    """Softmax, LogSoftmax, Hardmax and QuantSoftmax: an axis of the input."""
    operands.axis(operands.node.integer("axis", -1), len(operands.shape(0)) or 1)
    operands.yields(operands.shape(0))


def _cumulative(operands: Operands) -> None:
    shape, axis = operands.shape(0), operands.numbers(1)
    operands.single(1)
    operands.rank(0, 1)
    if axis is not None:
        operands.axis(axis[0], len(shape))
    operands.yields(shape)


def _top_k(operands: Operands) -> None:
    shape, k = operands.shape(0), operands.numbers(1)
    operands.single(1)
    axis = operands.axis(operands.node.integer("axis", -1), operands.rank(0, 1))
    count = k[0] if k is not None else operands.result()[axis] if len(operands.result()) == len(shape) else -1
    operands.need(0 <= count <= shape[axis], f"k is {count}, axis {axis} of {operands.label(0)} has {shape[axis]} elements")
    for index in (0, 1):
        operands.yields((*shape[:axis], count, *shape[axis + 1 :]), index)


def _reverse(operands: Operands) -> None:
    shape, node = operands.shape(0), operands.node
    operands.rank(0, 2)
    batch, time = node.integer("batch_axis", 1), node.integer("time_axis", 0)
    operands.need({batch, time} == {0, 1}, f"batch_axis is {batch} and time_axis {time}, 0 and 1 are needed")
    operands.vector(1, shape[batch])
    for length in operands.numbers(1) or []:
        operands.need(0 <= length <= shape[time], f"{operands.label(1)} holds the length {length}, there are {shape[time]} steps")
    operands.yields(shape)


def _triangle(operands: Operands) -> None:
    operands.rank(0, 2)
    operands.single(1)
    operands.yields(operands.shape(0))


RULES = {
    **dict.fromkeys(sorted(REDUCTIONS), _reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), _argument),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), softmax),
    "CumSum": _cumulative,
    "TopK": _top_k,
    "ReverseSequence": _reverse,
    "Trilu": _triangle,
}
