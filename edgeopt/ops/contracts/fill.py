"""Operators whose result depends on the shapes or the numbers of their inputs: ConstantOfShape, EyeLike, Range, Shape, Size."""

from __future__ import annotations

from math import ceil

import numpy as np

from edgeopt.ops.contracts.operands import Operands, size


def _constant(operands: Operands) -> None:
    operands.vector(0)
    shape, value = operands.numbers(0), operands.node.attributes.get("value")
    operands.need(not isinstance(value, np.ndarray) or value.size == 1, "its value is not one number")
    if shape is not None:
        operands.need(min(shape, default=0) >= 0, f"{operands.label(0)} asks for the shape {shape}")
        operands.yields(shape)


def _eye(operands: Operands) -> None:
    operands.rank(0, 2, 2)
    operands.yields(operands.shape(0))


def _shape(operands: Operands) -> None:
    shape, node = operands.shape(0), operands.node
    operands.yields((len(shape[slice(node.integer("start", 0), node.integer("end", len(shape)))]),))


def _size(operands: Operands) -> None:
    operands.yields(())


def _range(operands: Operands) -> None:
    operands.single(0, 1, 2)
    operands.same_type(0, 1, 2)
    operands.need(len(operands.result()) == 1, f"its result is declared as {list(operands.result())}, a vector is computed")
    start, limit, delta = (operands.array(i) for i in range(3))
    if delta is not None:
        operands.need(bool(np.all(delta != 0)), f"{operands.label(2)} is a step of 0")
    if start is not None and limit is not None and delta is not None and size(delta.shape) == 1:
        span, step = limit.item() - start.item(), delta.item()
        operands.yields((max(-(-span // step) if isinstance(step, int) else ceil(span / step), 0),))


RULES = {"ConstantOfShape": _constant, "EyeLike": _eye, "Shape": _shape, "Size": _size, "Range": _range}
