"""How an operator is rewritten when its tensors are stored with permuted axes.

A tensor v is *flipped* by ``perm`` when v' is stored instead with v = Transpose(v', perm): axis a of v is axis perm[a] of v'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeopt.ir import Array, Attribute, Node, Value
from edgeopt.ir.match import integers, rank_of, shape_of

UNARY = frozenset(
    (
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "ThresholdedRelu",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Tanh",
        "Softplus",
        "Softsign",
        "Mish",
        "Gelu",
        "Swish",
        "Silu",
        "Exp",
        "Log",
        "Sqrt",
        "Abs",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "Erf",
        "Reciprocal",
        "Sin",
        "Cos",
        "Not",
        "Cast",
        "Clip",
        "Identity",
        "IsNaN",
        "QuantizeLinear",
        "DequantizeLinear",
    )
)
BROADCASTING = frozenset(
    (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "PRelu",
        "Where",
        "Equal",
        "Less",
        "LessOrEqual",
        "Greater",
        "GreaterOrEqual",
        "And",
        "Or",
        "Xor",
        "Mod",
    )
)
ONE_AXIS = {"Concat": 0, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "Split": 0, "ArgMax": 0, "ArgMin": 0}
REDUCTIONS = frozenset(
    (
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
    )
)


@dataclass(frozen=True)
class Plan:
    """What changes in a node: the inputs that are read flipped, constants for other inputs, attributes; ``sink`` says that its
    result keeps the layout it has."""

    flipped: tuple[int, ...]
    constants: dict[int, Array] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    sink: bool = False


def inverse(perm: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes ``perm``."""
    return tuple(int(i) for i in np.argsort(perm))


def flipped_shape(shape: Sequence[int], perm: Sequence[int]) -> tuple[int, ...]:
    """The shape of v' from the shape of v."""
    return tuple(shape[axis] for axis in inverse(perm))


def plan(node: Node, perm: Sequence[int]) -> Plan | None:
    """How ``node`` is rewritten with its tensors flipped by ``perm``, or None when it has to keep the layout it has."""
    rank = len(perm)
    if node.domain and not node.is_own("Silu", "HardSwish", "Gelu", "Mish"):
        return None
    if node.op in UNARY:
        return Plan((0,)) if rank_of(node.input(0)) == rank and all(_single(v) for v in node.inputs[1:]) else None
    if node.op in BROADCASTING:
        return _broadcasting(node, perm)
    if rank_of(node.input(0)) != rank:
        return None
    if node.op in ONE_AXIS:
        return _one_axis(node, perm)
    if node.op in REDUCTIONS:
        return _reduction(node, perm)
    if node.op == "Pad":
        return _pad(node, perm)
    return _slice(node, perm) if node.op == "Slice" else None


def _single(value: Value | None) -> bool:
    """True for a left-out input or a tensor of one element, which broadcasts alike in every layout."""
    shape = shape_of(value)
    return value is None or (shape is not None and all(d == 1 for d in shape))


def _broadcasting(node: Node, perm: Sequence[int]) -> Plan | None:
    flipped, constants, rank = [], {}, len(perm)
    for index, value in enumerate(node.inputs):
        if value is None or (_single(value) and (rank_of(value) or 0) <= rank and len(node.inputs) > 1):
            continue
        if value.is_constant and value.array.ndim <= rank:
            full = value.array.reshape((1,) * (rank - value.array.ndim) + value.array.shape)
            constants[index] = np.ascontiguousarray(full.transpose(inverse(perm)))
        elif rank_of(value) == rank:
            flipped.append(index)
        else:
            return None
    return Plan(tuple(flipped), constants) if flipped else None


def _one_axis(node: Node, perm: Sequence[int]) -> Plan | None:
    if node.op in ("ArgMax", "ArgMin") and not node.integer("keepdims", 1):
        return None
    axis = perm[node.integer("axis", ONE_AXIS[node.op]) % len(perm)]
    if node.op != "Concat":  # further inputs (the sizes of a Split) are numbers, not maps
        return Plan((0,), attributes={"axis": axis})
    given = [(i, v) for i, v in enumerate(node.inputs) if v is not None]
    fixed = {i: v.array.transpose(inverse(perm)) for i, v in given if v.is_constant}
    return Plan(tuple(i for i, v in given if not v.is_constant), fixed, {"axis": axis})


def _reduction(node: Node, perm: Sequence[int]) -> Plan | None:
    axes, rank = integers(node, 1, "axes"), len(perm)
    if not axes:
        return None
    reduced = [a % rank for a in axes]
    moved = sorted(perm[a] for a in reduced)
    kept = [perm[a] for a in range(rank) if a not in reduced]
    keep = bool(node.integer("keepdims", 1))
    if not keep and kept != sorted(kept):
        return None
    by_input = node.input(1) is not None
    constants = {1: np.array(moved, np.int64)} if by_input else {}
    return Plan((0,), constants, {} if by_input else {"axes": tuple(moved)}, sink=not keep)


def _pad(node: Node, perm: Sequence[int]) -> Plan | None:
    pads, rank = integers(node, 1), len(perm)
    if pads is None or (node.input(3) is not None and integers(node, 3) is None):
        return None
    axes = integers(node, 3)
    if axes is not None:
        return Plan((0,), {3: np.array([perm[a % rank] for a in axes], np.int64)})
    moved = [0] * (2 * rank)
    for axis in range(rank):
        moved[perm[axis]], moved[rank + perm[axis]] = pads[axis], pads[rank + axis]
    return Plan((0,), {1: np.array(moved, np.int64)})


def _slice(node: Node, perm: Sequence[int]) -> Plan | None:
    starts, rank = integers(node, 1), len(perm)
    if starts is None or (node.input(3) is not None and integers(node, 3) is None):
        return None
    axes = integers(node, 3) or tuple(range(len(starts)))
    return Plan((0,), {3: np.array([perm[a % rank] for a in axes], np.int64)})
