"""Codes of 8 bits that hold fewer values: the limits of a result, and what is known of where codes lie."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from edgeopt.ir import Node, Value, numpy_dtype
from edgeopt.ir.match import code_limits, dtype_of, scalar
from edgeopt.ops.definition import Body

Limits = tuple[int, int]
WIDER = {"int2": "int8", "uint2": "uint8", "int4": "int8", "uint4": "uint8"}
BYTES = ("int8", "uint8")
LIMITED = """LookupConv LookupGemm QuantAdd QuantAveragePool QuantConcat QuantConv QuantConvTranspose QuantGemm
QuantGlobalAveragePool QuantMatMul QuantMul QuantScaleShift QuantSoftmax""".split()
MOVERS = "Reshape Flatten Squeeze Unsqueeze Identity Transpose Slice MaxPool DepthToSpace SpaceToDepth".split()


def whole_range(dtype: str) -> Limits:
    """The lowest and the highest code of an integer type of any width."""
    info = ml_dtypes.iinfo(numpy_dtype(dtype))  # type: ignore[no-untyped-call]
    return int(info.min), int(info.max)


def quantized_result(body: Body, node: Node, y: str, index: int) -> None:
    """Append what makes codes of ``y`` on the grid of inputs ``index`` and ``index + 1``, between the limits of ``node``."""
    limits = code_limits(node)
    codes = body.op("QuantizeLinear", [y, f"x{index}", f"x{index + 1}"], "" if limits else "y0")
    if limits:
        bounds = [body.constant(v, dtype_of(node.input(index + 1))) for v in limits]
        body.op("Clip", [codes, *bounds], "y0")


def clipped_to(node: Node) -> Limits | None:
    """The constant bounds of a Clip of bytes; None for any other node."""
    dtype, (low, high) = dtype_of(node.input(0)), (scalar(node, i) for i in (1, 2))
    if not node.is_op("Clip") or dtype not in BYTES:
        return None
    if any(v is None and node.input(i) is not None for i, v in ((1, low), (2, high))):
        return None
    first, last = whole_range(dtype)
    return first if low is None else int(low), last if high is None else int(high)


def within(value: Value | None, limits: Limits) -> bool:
    """Whether every code of ``value`` is known to lie between ``limits``."""
    if value is None:
        return False
    if value.is_constant:
        return bool(np.all((value.array.astype(np.int64) >= limits[0]) & (value.array.astype(np.int64) <= limits[1])))
    node = value.producer
    known = None if node is None else code_limits(node) or clipped_to(node) or _of_narrow(node)
    if known is not None:
        return limits[0] <= known[0] and known[1] <= limits[1]
    if node is None or value is not node.outputs[0]:
        return False
    if node.is_own("QuantLookup"):
        return within(node.input(1), limits)
    parts = list(node.inputs) if node.is_op("Concat") else node.inputs[:1] if node.is_op(*MOVERS) else []
    parts += [node.input(0), node.input(2)] if node.is_op("Pad") and node.text("mode", "constant") == "constant" else []
    return bool(parts) and all(within(part, limits) for part in parts)


def _of_narrow(node: Node) -> Limits | None:
    """The range of codes that a Cast widens."""
    source = dtype_of(node.input(0))
    return whole_range(source) if node.is_op("Cast") and source in WIDER else None
