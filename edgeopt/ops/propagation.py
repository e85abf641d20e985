"""Small values that are known before the model runs: shapes, pads and axes computed from constants and static shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Node, Value
from edgeopt.ops.evaluation import evaluate
from edgeopt.ops.tensors import DATA_LIMIT

Known = dict[int, Array]
# What exporters compute shapes with. None of these can make a large tensor of small ones whose size inference does not see.
SHAPE_ARITHMETIC = frozenset(
    ("Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Concat", "CumSum", "Div", "Equal", "Flatten", "Floor")
    + ("Gather", "GatherElements", "GatherND", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min")
    + ("Mod", "Mul", "Neg", "NonZero", "Not", "Or", "Pow", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape")
    + ("Round", "ScatterElements", "ScatterND", "Shape", "Sign", "Size", "Slice", "Sqrt", "Squeeze", "Sub", "Sum", "Transpose")
    + ("Unsqueeze", "Where", "Xor")
)
SIZED = frozenset(("ConstantOfShape", "Expand", "Range", "Tile"))


def note_constant(value: Value, known: Known) -> None:
    """Add a constant to ``known``, which maps ``id`` of a Value to its array, when it is small."""
    if is_static(value) and _small(value):
        known[id(value)] = value.array


def note_node(node: Node, known: Known) -> None:
    """Add the output of ``node`` to ``known`` when it is small and the same in every run."""
    array = _value_of(node, known)
    if isinstance(array, np.ndarray) and array.size <= DATA_LIMIT:
        known[id(node.output)] = array


def live_branch(node: Node, known: Known) -> str:
    """The branch that an If takes in every run, '' when that is open."""
    condition = known.get(id(node.input(0))) if node.is_op("If") else None
    if condition is None or condition.size != 1:
        return ""
    return "then_branch" if bool(condition.reshape(())) else "else_branch"


def is_static(value: Value | None) -> bool:
    """True when the type of ``value`` has a static shape."""
    return value is not None and value.type is not None and value.type.static


def _value_of(node: Node, known: Known) -> Array | None:
    if node.is_op("Shape") and is_static(node.input(0)):
        return _shape(node)
    if node.domain or node.op not in SHAPE_ARITHMETIC | SIZED or not all(v is None or id(v) in known for v in node.inputs):
        return None
    if (node.op in SIZED and not is_static(node.output)) or (is_static(node.output) and not _small(node.output)):
        return None
    try:
        return evaluate(node, [None if v is None else known[id(v)] for v in node.inputs])[0]
    except EdgeoptError:
        return None


def _shape(node: Node) -> Array:
    value = node.inputs[0]
    assert value is not None and value.type is not None
    dims = value.type.dims
    return np.asarray(dims[slice(node.integer("start", 0), node.integer("end", len(dims)))], np.int64)


def _small(value: Value) -> bool:
    return value.type is not None and _volume(value.type.dims) <= DATA_LIMIT


def _volume(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=object))
