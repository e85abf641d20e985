"""Products with a sparse weight: blocks in range and in order, and the contract of the dense operator that is meant."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeopt.memory_limit import amount
from edgeopt.ops.contracts import convolution, products, quantized
from edgeopt.ops.contracts.operands import Operands
from edgeopt.ops.sparse import STORAGE, dense_node, grid_of

_DENSE = {**convolution.RULES, **products.RULES, **quantized.RULES}


def _sparse(operands: Operands) -> None:
    node = operands.node
    shape, block = node.integers("weight_shape"), node.integers("block")
    operands.need(len(block) == 2 and min(block, default=0) > 0, f"block is {list(block)}, outputs and inputs are needed")
    operands.need(len(shape) >= 2 and min(shape) > 0, f"weight_shape is {list(shape)}, the extents of a weight are needed")
    _blocks(operands, block)
    _bounded(operands, 4 * prod(shape))
    dense = dense_node(node)
    _DENSE[dense.op](Operands(dense))


def _bounded(operands: Operands, size: int) -> None:
    """The weight that is filled in, of ``size`` bytes at most, is within the model's memory: few blocks can stand for much."""
    graph = operands.node.graph
    limit = graph.root.memory_limit if graph is not None else None
    operands.need(limit is None or size <= limit, f"its weight takes {amount(size)}, more than the memory limit")


def _blocks(operands: Operands, block: tuple[int, ...]) -> None:
    storage, (rows, taps, columns) = STORAGE[operands.node.op], grid_of(operands.node)
    operands.rank(storage.data, 3, 3)
    count = operands.shape(storage.data)[0]
    operands.fits(storage.data, (count, *block))
    operands.typed(storage.indices, "int32")
    operands.typed(storage.indptr, "int32")
    operands.vector(storage.indices, count)
    operands.vector(storage.indptr, rows + 1)
    indices, starts = operands.array(storage.indices), operands.array(storage.indptr)
    if starts is None or indices is None:
        return
    good = starts[0] == 0 and starts[-1] == count and bool((np.diff(starts) > 0).all())
    operands.need(good, f"{operands.label(storage.indptr)} does not ascend from 0 to {count}, by one at least")
    inside = bool(((indices >= 0) & (indices < taps * columns)).all())
    text = f"{operands.label(storage.indices)} holds a column outside of {taps * columns}"
    operands.need(inside, text)
    place = np.repeat(np.arange(rows), np.diff(starts)) * taps * columns + indices
    operands.need(bool((np.diff(place) > 0).all()), f"{operands.label(storage.indices)} does not ascend in each row of blocks")


RULES = dict.fromkeys(STORAGE, _sparse)
