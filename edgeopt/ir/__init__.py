"""The intermediate representation. Imports nothing else of edgeopt."""

from edgeopt.ir.graph import Graph, Journal, Node, Value
from edgeopt.ir.text import graph_text
from edgeopt.ir.types import (
    OWN_DOMAIN,
    Array,
    Attribute,
    TensorType,
    VerificationError,
    dtype_name,
    numpy_dtype,
    onnx_code,
)
from edgeopt.ir.verify import verify

__all__ = [
    "OWN_DOMAIN",
    "Array",
    "Attribute",
    "Graph",
    "Journal",
    "Node",
    "TensorType",
    "Value",
    "VerificationError",
    "dtype_name",
    "graph_text",
    "numpy_dtype",
    "onnx_code",
    "verify",
]
