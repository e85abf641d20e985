"""What the schema of a standard operator says: element types, one type wherever it says one, and attributes that are flags."""

from __future__ import annotations

from itertools import chain, repeat

from onnx import defs

from edgeopt.ir import Node
from edgeopt.ops.contracts.operands import Operands
from edgeopt.ops.table import schema

_SPELLED = {"float32": "float", "float64": "double"}
_VARIADIC = defs.OpSchema.FormalParameterOption.Variadic


# Integers that mean yes or no; ONNX gives other numbers no meaning, and implementations differ on them.
FLAGS = """allowzero align_corners antialias ceil_mode count_include_pad exclude_outside exclusive fmod input_forget keepdims
largest layout linear_before_reset noop_with_empty_axes reverse saturate select_last_index sorted storage_order training_mode
transA transB upper""".split()


def check_flags(operands: Operands) -> None:
    """Raise Misfit for an attribute that is neither 0 nor 1 although it means yes or no."""
    for name in FLAGS:
        value = operands.node.integer(name, 0)
        operands.need(value in (0, 1), f"{name} is {value}, 0 or 1 is needed")


def takes(node: Node, dtype: str | None) -> bool:
    """Whether the operator of ``node`` takes elements of ``dtype`` in its first input, as far as a schema says."""
    known = schema(node.op, node.domain, Operands(node).opset)
    return known is None or f"tensor({_SPELLED.get(dtype or '', dtype)})" in known.inputs[0].types


def check_types(operands: Operands) -> None:
    """Raise Misfit for an input or output whose element type the operator does not take, or does not take beside the others."""
    node = operands.node
    known = schema(node.op, node.domain, operands.opset)
    if known is None:
        return
    bound: dict[str, tuple[str, str]] = {}
    for values, formals, kind in ((node.inputs, known.inputs, "input"), (node.outputs, known.outputs, "output")):
        last = formals[-1:] if formals and formals[-1].option == _VARIADIC else []
        for index, (value, formal) in enumerate(zip(values, chain(formals, repeat(last[0]) if last else ()), strict=False)):
            type_ = value.type if value is not None and value.name else None
            if value is not None and type_ is not None and type_.proto is None:
                homogeneous = formal.option != _VARIADIC or formal.is_homogeneous
                _check(operands, f"{kind} {index} '{value.name}'", type_.dtype, formal, bound if homogeneous else {})


def _check(
    operands: Operands, label: str, dtype: str, formal: defs.OpSchema.FormalParameter, bound: dict[str, tuple[str, str]]
) -> None:
    allowed = f"tensor({_SPELLED.get(dtype, dtype)})" in formal.types
    operands.need(allowed, f"{label} is {dtype}, which the operator does not take there")
    first, other = bound.setdefault(formal.type_str, (dtype, label))
    operands.need(first == dtype, f"{label} is {dtype}, {other} is {first}")
