"""Small values that are known before the model runs: shapes, pads and axes computed from constants and static shapes.

Shape inference needs them where ONNX's own data propagation gives up (Cast, Pad, Slice with computed bounds).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ops.evaluation import evaluate
from edgeopt.ops.tensors import DATA_LIMIT

Known = dict[int, Array]
VARYING = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout")


def known_values(graph: Graph) -> Known:
    """The small values of ``graph`` and its subgraphs that are the same in every run, by ``id`` of the Value."""
    known: Known = {}
    _collect(graph, known)
    return known


def _collect(graph: Graph, known: Known) -> None:
    for value in graph.constants:
        if value.type is not None and value.type.static and _small(value.type.dims):
            known[id(value)] = value.array
    for node in graph.nodes:
        for inner in node.subgraphs:
            _collect(inner, known)
        array = _value_of(node, known)
        if array is not None and _small(array.shape):
            known[id(node.output)] = array


def _value_of(node: Node, known: Known) -> Array | None:
    if node.domain or node.subgraphs or len(node.outputs) != 1 or node.is_op(*VARYING):
        return None
    if node.is_op("Shape") and _static(node.input(0)):
        return _shape(node)
    if not all(v is None or id(v) in known for v in node.inputs) or not _output_small(node.output):
        return None
    if node.is_op("ConstantOfShape", "Expand", "Tile", "Range") and not _static(node.output):
        return None
    try:
        (array,) = evaluate(node, [None if v is None else known[id(v)] for v in node.inputs])
    except EdgeoptError:
        return None
    return array if isinstance(array, np.ndarray) else None


def _shape(node: Node) -> Array:
    value = node.inputs[0]
    assert value is not None and value.type is not None
    dims = np.asarray(value.type.dims, np.int64)
    return dims[slice(node.integer("start", 0), node.integer("end", len(dims)))]


def _static(value: Value | None) -> bool:
    return value is not None and value.type is not None and value.type.static


def _output_small(value: Value) -> bool:
    return not _static(value) or (value.type is not None and _small(value.type.dims))


def _small(shape: Sequence[int]) -> bool:
    return int(np.prod(shape, dtype=object)) <= DATA_LIMIT
