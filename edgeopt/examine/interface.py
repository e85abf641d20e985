"""Inputs and outputs of a compiled model as a graph without nodes, which data sets are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeopt.ir import Graph, TensorType, Value
from edgeopt.runtime.manifest import Manifest


def interface(manifest: Manifest) -> Graph:
    """The ports of a compiled model; a shape that the data decide is unknown."""
    return Graph(manifest["model"], [_value(p) for p in manifest["inputs"]], [_value(p) for p in manifest["outputs"]])


def _value(port: Mapping[str, Any]) -> Value:
    shape = port["shape"] if port["shape"] is not None else port.get("declared")
    return Value(port["name"], TensorType(port["dtype"], None if shape is None else tuple(shape)))
