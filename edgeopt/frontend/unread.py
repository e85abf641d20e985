"""Outputs that a model leaves out although its operator always computes them."""

from __future__ import annotations

from onnx import defs

from edgeopt.ir import Graph, Node
from edgeopt.ops.table import schema

_OPTIONAL = defs.OpSchema.FormalParameterOption.Optional


def name_unread(graph: Graph) -> None:
    """Give such an output, a middle part of a Split say, a name: its kernel writes it, so it needs a type and storage."""
    for inner in graph.walk():
        for node in inner.nodes:
            for index, out in enumerate(node.outputs):
                if not out.name and computed_always(node, index, graph.opsets.get(node.domain, 1)):
                    out.name = graph.fresh(f"{node.name}_unread")


def computed_always(node: Node, index: int, opset: int) -> bool:
    """Whether output ``index`` of a standard operator is not an optional one."""
    known = schema(node.op, node.domain, opset)
    formals = known.outputs if known is not None else []
    return bool(formals) and formals[min(index, len(formals) - 1)].option != _OPTIONAL
