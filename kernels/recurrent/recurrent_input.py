"""The product of the input of all steps with its weights, before the loop over time: of numbers, widened codes, or integers.

Its columns lie as ``recurrent_weights`` says, so that the gates of one unit meet in one lane.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.ir import Array, Node, TensorType, Value
from edgeopt.kernels.call import KernelCall, Origin, Packed, Site, Temporary, Tensor
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.gemm.product import Product, Terms, pack, prepared
from edgeopt.kernels.integer import quant_gemm
from edgeopt.kernels.packed.hybrid_gemm import MOST_ROWS, Coded, few_rows, many_rows
from edgeopt.kernels.recurrent.recurrent import Cell, Recurrence
from edgeopt.kernels.recurrent.recurrent_weights import Matrix, columns, moved
from edgeopt.kernels.stand_in import constant
from edgeopt.kernels.walk.tiling import choose

Calls = tuple[KernelCall, ...]


def input_product(site: Site, sizes: Recurrence, cell: Cell, weights: Matrix, bias: Array) -> tuple[Calls, Temporary]:
    """The product of all steps with the input's weights [gate * hidden, width], and where its result lies."""
    lanes, rows = site.target.lanes, sizes.steps * sizes.batch
    product = Product(1, rows, sizes.width, cell.gates * cell.units, True)
    place = Temporary("projection", product.rows * product.columns)
    matrix, added = columns(weights.array, cell, lanes), columns(bias, cell, lanes)[0]
    scale = None if weights.scale is None else columns(weights.scale, cell, lanes)[0]
    if weights.grid is not None:
        assert scale is not None
        return _integer(site, rows, weights, matrix, scale, added, place), place
    if weights.kind and rows <= MOST_ROWS:
        return (few_rows(site.target, rows, Coded(matrix, weights.kind, scale, added), place),), place
    tiling = choose(site.target, product.rows, product.columns // lanes, divided=False)
    made = prepared(site, product, Terms(matrix[None], added, None, Activation()), tiling.pixels, tiling.vectors)
    made = replace(made, operands={**made.operands, "y": place, "residual": place})
    packed = made.operands["weights"]
    if isinstance(packed, Packed) and not weights.kind:
        origin = Origin(weights.array, lambda array: pack(moved(array, cell, lanes)[None], tiling.vectors, lanes))
        made = replace(made, operands={**made.operands, "weights": replace(packed, origin=origin)})
    return (many_rows(site, made, scale) if weights.kind else made.call(),), place


def _integer(site: Site, rows: int, weights: Matrix, matrix: Array, scale: Array, bias: Array, place: Temporary) -> Calls:
    """A QuantGemm with a float result. Padded columns have no weights; their scale only must not be zero."""
    x, grid = site.given(0), weights.grid
    assert grid is not None
    step = np.where(scale > 0, scale, 1.0).astype(np.float32)
    whole = np.rint(bias / (np.float64(grid.scale) * step)).astype(np.int32)
    read = Tensor(TensorType(x.type.dtype, (rows, matrix.shape[0])))
    y = TensorType("float32", (rows, matrix.shape[1]))
    w = constant(np.ascontiguousarray(matrix.astype(np.int8)))
    inputs = (read, constant(grid.scale), constant(grid.zero.astype(x.type.dtype)), w, constant(step), None, constant(whole))
    node = Node("QuantGemm", [Value("x", read.type)], [Value("y", y)], {}, name=site.node.name)
    made = quant_gemm.prepare(replace(site, node=node, inputs=inputs, outputs=(Tensor(y),)))
    return (*made.before, made.call(y=place, residual=place))
