"""Operators that follow indices: their shapes against each other, and constant indices within their axis."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape, size


def _reachable(operands: Operands, extent: int) -> None:
    """Indices need something to point at."""
    empty = size(operands.shape(1)) > 0 and extent == 0
    operands.need(not empty, f"{operands.label(0)} has shape {list(operands.shape(0))}, its axis holds nothing to index")


def _gather(operands: Operands) -> None:
    shape, at = operands.shape(0), operands.shape(1)
    axis = operands.axis(operands.node.integer("axis", 0), operands.rank(0, 1))
    operands.yields((*shape[:axis], *at, *shape[axis + 1 :]))
    _reachable(operands, shape[axis])
    operands.indices(1, shape[axis])


def _along(operands: Operands) -> int:
    """The axis of GatherElements or ScatterElements; the indices stay inside of the data on every other axis."""
    shape, at = operands.shape(0), operands.shape(1)
    axis = operands.axis(operands.node.integer("axis", 0), operands.rank(0, 1))
    inside = len(at) == len(shape) and all(i == axis or n <= d for i, (n, d) in enumerate(zip(at, shape, strict=True)))
    operands.need(inside, f"{operands.label(1)} of shape {list(at)} reaches out of the data {list(shape)} beside axis {axis}")
    _reachable(operands, shape[axis])
    operands.indices(1, shape[axis])
    return axis


def _gather_elements(operands: Operands) -> None:
    _along(operands)
    operands.yields(operands.shape(1))


def _scatter_elements(operands: Operands) -> None:
    _along(operands)
    operands.fits(2, operands.shape(1))
    operands.same_type(0, 2)
    operands.yields(operands.shape(0))


def _tuples(operands: Operands, shape: Shape, batch: int) -> int:
    """The depth of the index tuples in input 1, which point into ``shape`` after ``batch`` dimensions."""
    at = operands.shape(1)
    depth = at[-1]
    good = 1 <= depth <= len(shape) - batch
    operands.need(good, f"{operands.label(1)} has shape {list(at)}: tuples of {depth} do not index {list(shape[batch:])}")
    array = operands.array(1)
    for place, extent in enumerate(shape[batch : batch + depth]):
        _reachable(operands, extent)
        if array is not None:
            operands.indices(1, extent, array[..., place])
    return depth


def _gather_nd(operands: Operands) -> None:
    rank, at, shape = operands.rank(0, 1), operands.shape(1), operands.shape(0)
    operands.rank(1, 1)
    batch = operands.node.integer("batch_dims", 0)
    good = 0 <= batch < min(rank, len(at)) and at[:batch] == shape[:batch]
    operands.need(good, f"the first {batch} dimensions (batch_dims) of {list(shape)} and of the indices {list(at)} differ")
    depth = _tuples(operands, shape, batch)
    operands.yields((*at[:-1], *shape[batch + depth :]))


def _scatter_nd(operands: Operands) -> None:
    operands.rank(0, 1)
    operands.rank(1, 1)
    shape, at = operands.shape(0), operands.shape(1)
    depth = _tuples(operands, shape, 0)
    operands.fits(2, (*at[:-1], *shape[depth:]))
    operands.same_type(0, 2)
    operands.yields(shape)


def _one_hot(operands: Operands) -> None:
    at, depth = operands.shape(0), operands.numbers(1)
    operands.single(1)
    operands.fits(2, (2,))
    axis = operands.axis(operands.node.integer("axis", -1), len(at) + 1)
    if depth is not None:
        operands.need(depth[0] >= 0, f"{operands.label(1)} asks for the depth {depth[0]}")
    extent = depth[0] if depth is not None else operands.result()[axis] if len(operands.result()) > axis else 0
    operands.yields((*at[:axis], extent, *at[axis:]))


RULES = {
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "OneHot": _one_hot,
}
