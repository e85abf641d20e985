"""Operators that give the same elements other dimensions: a view of as many elements as there are, or memory is left."""

from __future__ import annotations

from math import prod

from edgeopt.ops.contracts.elementwise import unary
from edgeopt.ops.contracts.operands import Operands, Shape, size


def _reshape(operands: Operands) -> None:
    operands.vector(1)
    wanted, source = operands.numbers(1), operands.shape(0)
    if wanted is not None:
        operands.yields(_reshaped(operands, source, wanted))
    result = operands.result()
    operands.need(size(result) == size(source), f"{list(source)} has {size(source)} elements, {list(result)} has {size(result)}")


def _reshaped(operands: Operands, source: Shape, wanted: list[int]) -> Shape:
    """What ``wanted`` means: 0 keeps a dimension (unless ``allowzero``), -1 is what is left."""
    keep, text = not operands.node.integer("allowzero", 0), f"{list(source)} cannot be reshaped to {wanted}"
    operands.need(min(wanted, default=0) >= -1 and wanted.count(-1) <= 1, text)
    operands.need(not keep or all(d or i < len(source) for i, d in enumerate(wanted)), text)
    dims = [source[i] if keep and d == 0 else d for i, d in enumerate(wanted)]
    known = prod(d for d in dims if d != -1)
    if -1 in dims:
        operands.need(known > 0 and size(source) % known == 0, text)
        dims[dims.index(-1)] = size(source) // known
    operands.need(size(dims) == size(source), text)
    return tuple(dims)


def _flatten(operands: Operands) -> None:
    shape, axis = operands.shape(0), operands.node.integer("axis", 1)
    operands.need(-len(shape) <= axis <= len(shape), f"axis {axis} is outside of {len(shape)} dimensions")
    axis += len(shape) if axis < 0 else 0
    operands.yields((size(shape[:axis]), size(shape[axis:])))


def _squeeze(operands: Operands) -> None:
    shape, given = operands.shape(0), operands.numbers(1) if operands.given(1) else []
    operands.vector(1)
    if given is None:
        operands.need(size(operands.result()) == size(shape), f"{list(shape)} cannot be squeezed to {list(operands.result())}")
        return
    axes = operands.axes(given, len(shape)) if given else [i for i, d in enumerate(shape) if d == 1]
    operands.need(all(shape[a] == 1 for a in axes), f"the axes {given} of {list(shape)} are not all of extent 1")
    operands.yields([d for i, d in enumerate(shape) if i not in axes])


def _unsqueeze(operands: Operands) -> None:
    shape, given = operands.shape(0), operands.numbers(1)
    operands.vector(1)
    if given is None:
        operands.need(size(operands.result()) == size(shape), f"{list(shape)} cannot become {list(operands.result())}")
        return
    rank, rest = len(shape) + len(given), list(shape)
    axes = operands.axes(given, rank)
    operands.yields([1 if i in axes else rest.pop(0) for i in range(rank)])


RULES = {"Identity": unary, "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze}
