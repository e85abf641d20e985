"""Products with a sparse constant weight, stored by its nonzero blocks as ``edgeopt.ir.block_rows`` lays them out.

Each means a dense operator with the weight filled in. ``weight_shape`` is the shape of that weight, ``block`` the outputs and
inputs of a block. In the place of the weight the inputs hold ``data`` [blocks, outputs, inputs]; behind the others come
``indices`` and ``indptr`` (int32).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from onnx import TensorProto, numpy_helper

from edgeopt.ir import Array, Node, TensorType, Value
from edgeopt.ops.definition import Body, OwnOp
from edgeopt.ops.fused import FUSED_CONV, FUSED_GEMM
from edgeopt.ops.quantized import QUANTIZED

INTEGER = TensorProto.INT64
OLDEST_OPSET = 11  # that has all of what a weight is filled in with


@dataclass(frozen=True)
class Storage:
    """The ``dense`` operator that is meant, and the places of data, indices and indptr among the inputs.

    ``zero`` is that of the weight's zero point, which is left out: codes are centred.
    """

    dense: OwnOp
    data: int
    indices: int
    indptr: int
    zero: int | None = None


_QUANT = {own.name: own for own in QUANTIZED}
STORAGE = {
    "SparseConv": Storage(FUSED_CONV, 1, 4, 5),
    "SparseGemm": Storage(FUSED_GEMM, 1, 4, 5),
    "SparseQuantConv": Storage(_QUANT["QuantConv"], 3, 12, 13, 5),
    "SparseQuantGemm": Storage(_QUANT["QuantGemm"], 3, 12, 13, 5),
}
DENSE = {storage.dense.name: name for name, storage in STORAGE.items()}  # dense operator -> sparse one


def stored_weight(node: Node) -> Array | None:
    """The constant weight of a dense ``node`` as it is stored: float32, or codes less their zero point in int8.

    None for one that is computed, a stack of matrices, of another type, or does not fit.
    """
    storage = STORAGE[DENSE[node.op]]
    weight = node.constant(storage.data)
    if weight is None or (node.op.endswith("Gemm") and weight.ndim != 2):
        return None
    if storage.zero is None:
        return weight if weight.dtype == np.float32 else None
    zero = node.constant(storage.zero)
    if zero is None and node.input(storage.zero) is not None:
        return None
    axis = 1 if node.op.endswith("Gemm") else 0
    spread = [-1 if i == axis else 1 for i in range(weight.ndim)]
    offset = 0 if zero is None else zero.astype(np.int32).reshape(spread if zero.size > 1 else ())
    centred = weight.astype(np.int32) - offset
    fits = centred.size and centred.min() >= -128 and centred.max() <= 127
    return centred.astype(np.int8) if fits else None


def outputs_first(node: Node, weight: Array) -> Array:
    """The ``weight`` of ``node`` as [outputs, inputs, kernel...]; that of a matrix product is [inputs, outputs]."""
    return weight.T if node.op.endswith("Gemm") else weight


def dense_node(node: Node) -> Node:
    """The dense operator that ``node`` means, outside of any graph; its weight has a type and no data."""
    storage = STORAGE[node.op]
    data, inputs = node.input(storage.data), list(node.inputs[: storage.indices])
    inputs[storage.data] = Value(data.name if data else "", TensorType(_dtype(node), shape_of(node)))
    kept = {k: v for k, v in node.attributes.items() if k not in ("weight_shape", "block")}
    return Node(storage.dense.name, inputs, node.outputs, kept, node.domain, node.name)


def shape_of(node: Node) -> tuple[int, ...]:
    """The shape of the weight; of one element where the attribute is none of a weight, which the contract refuses."""
    shape = node.integers("weight_shape")
    return shape if len(shape) >= 2 and min(shape) > 0 else (1, 1)


def block_of(node: Node) -> tuple[int, int]:
    """Outputs and inputs of a block; one element where the attribute is no block, which the contract refuses."""
    block = node.integers("block")
    return (block[0], block[1]) if len(block) == 2 and min(block) > 0 else (1, 1)


def grid_of(node: Node) -> tuple[int, int, int]:
    """Rows of blocks, taps, and blocks of a tap in a row of the matrix of a sparse ``node``."""
    shape, (height, width) = shape_of(node), block_of(node)
    if node.op.endswith("Gemm"):
        shape = shape[::-1]
    return -(-shape[0] // height), prod(shape[2:]), -(-shape[1] // width)


def _build(node: Node, body: Body) -> None:
    storage = STORAGE[node.op]
    name, first = _weight(node, body, storage), len(body.nodes)
    storage.dense.build(dense_node(node), body)
    for proto in body.nodes[first:]:
        proto.input[:] = [name if i == f"x{storage.data}" else i for i in proto.input]


def _weight(node: Node, body: Body, storage: Storage) -> str:
    """Append the nodes that fill the blocks into a weight of zeros; returns the name of the weight."""
    data, indices, indptr = (f"x{i}" for i in (storage.data, storage.indices, storage.indptr))
    (rows, taps, columns), (height, width) = grid_of(node), block_of(node)
    column = _column(body, body.op("Cast", [indices], to=INTEGER))
    places = body.op("Concat", [_row_of_each(body, indptr, indices), column], axis=1)
    zeros = _zeros(body, body.constant((rows, taps * columns, height, width), "int64"), _dtype(node))
    cells = body.op("ScatterND", [zeros, places, data])
    split = body.op("Reshape", [cells, body.constant((rows, taps, columns, height, width), "int64")])
    order = body.op("Transpose", [split], perm=[0, 3, 1, 2, 4])
    matrix = body.op("Reshape", [order, body.constant((rows * height, taps, columns * width), "int64")])
    shape = shape_of(node)
    outputs, inputs = shape[1::-1] if node.op.endswith("Gemm") else shape[:2]
    ends = body.constant((outputs, inputs), "int64")
    cut = body.op("Slice", [matrix, body.constant((0, 0), "int64"), ends, body.constant((0, 2), "int64")])
    order = body.op("Transpose", [cut], perm=[1, 2, 0] if node.op.endswith("Gemm") else [0, 2, 1])
    return body.op("Reshape", [order, body.constant(shape, "int64")])


def _column(body: Body, name: str) -> str:
    return body.op("Reshape", [name, body.constant((-1, 1), "int64")])


def _row_of_each(body: Body, indptr: str, indices: str) -> str:
    """The row of each block: a row begins with a block, so that counting the beginnings is enough."""
    extent, one = body.op("Shape", [indices]), body.constant((1,), "int64")
    inner = body.op("Slice", [body.op("Cast", [indptr], to=INTEGER), one, body.constant((-1,), "int64")])
    ones = body.op("Expand", [one, body.op("Shape", [inner])])
    begun = body.op("ScatterElements", [_zeros(body, extent, "int64"), inner, ones], axis=0)
    return _column(body, body.op("CumSum", [begun, body.constant(0, "int64")]))


def _zeros(body: Body, shape: str, dtype: str) -> str:
    return body.op("ConstantOfShape", [shape], value=numpy_helper.from_array(np.zeros(1, dtype)))


def _dtype(node: Node) -> str:
    """The element type of the weight."""
    data = node.input(STORAGE[node.op].data)
    return data.type.dtype if data is not None and data.type is not None else "float32"


def _products(node: Node) -> int | None:
    """Each output position takes a product with every element of every block that is stored."""
    y, data = node.output.type, node.input(STORAGE[node.op].data)
    if y is None or not y.static or data is None or data.type is None or not data.type.static:
        return None
    shape = shape_of(node)
    outputs = shape[1] if node.op.endswith("Gemm") else shape[0]
    return prod(y.dims) // max(1, outputs) * prod(data.type.dims)


SPARSE = tuple(
    OwnOp(name, _build, _products, numeric=storage.dense.numeric, maps=storage.dense.maps) for name, storage in STORAGE.items()
)
