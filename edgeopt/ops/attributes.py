"""Attributes between the IR and ONNX protos.

In the IR an attribute is an int, float, str, bytes, a list of those, an array (tensor), a Graph, or the ONNX proto itself for
the rare kinds (type, sparse tensor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, helper

from edgeopt.ir import Attribute, Graph
from edgeopt.ops.tensors import tensor_proto

_CASTS: dict[int, Callable[[Any], Any]] = {
    AttributeProto.FLOAT: float,
    AttributeProto.INT: int,
    AttributeProto.FLOATS: lambda values: [float(v) for v in values],
    AttributeProto.INTS: lambda values: [int(v) for v in values],
}


def attribute_proto(name: str, value: Attribute, kind: int | None, graph: Callable[[Graph], GraphProto]) -> AttributeProto:
    """``value`` as an AttributeProto of ``kind`` (from the operator's schema; None when there is no schema).

    Raises TypeError or ValueError when the value does not fit the kind.
    """
    if isinstance(value, Graph):
        return helper.make_attribute(name, graph(value))
    if kind in (AttributeProto.TENSOR, None) and isinstance(value, np.ndarray):
        return helper.make_attribute(name, tensor_proto("", value))
    if kind is not None:
        value = _CASTS.get(kind, lambda v: v)(value)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        kind = _sequence_kind(value)
    return helper.make_attribute(name, value, attr_type=kind)


def _sequence_kind(values: Sequence[object]) -> int | None:
    if any(isinstance(v, (float, np.floating)) for v in values):
        return AttributeProto.FLOATS
    return AttributeProto.INTS if all(isinstance(v, (int, np.integer)) for v in values) else None
