"""Brings a graph to the operators that passes and kernels know: old versions and vendors' operators by their meaning."""

from __future__ import annotations

from edgeopt.frontend.unfold import unfold
from edgeopt.frontend.vendor import CONTRACTS, DOMAIN, UNDER_ONNX
from edgeopt.frontend.versions import ADAPTERS
from edgeopt.ir import Graph, Node
from edgeopt.ops import infer_types
from edgeopt.ops.definition import Build
from edgeopt.ops.table import schema

OLDEST = 13  # the oldest operator set that passes and kernels know
OLDEST_IR_VERSION = 7  # the IR version that came with it


def raise_opset(graph: Graph) -> str:
    """Type ``graph``, whose inputs are typed, and put standard nodes of opset 13 or above in place of what is older or foreign.

    Returns a note when the opset changed, else ''. Raises EdgeoptError that names a node whose meaning cannot be written so, or
    whose inputs do not fit together.
    """
    old = graph.opset
    graph.opsets[""] = max(old, OLDEST)

    def replace(node: Node) -> list[Node]:
        build = meaning(node, old)
        return unfold(node.graph, node, build) if build is not None and node.graph is not None else [node]

    infer_types(graph, strict=True, unfold=replace)
    if not any(node.domain == DOMAIN for inner in graph.walk() for node in inner.nodes):
        graph.opsets.pop(DOMAIN, None)
    if old >= OLDEST:
        return ""
    # Below IR version 4 an initializer must be an input as well; here it is a constant.
    graph.ir_version = max(graph.ir_version, OLDEST_IR_VERSION)
    return f"opset raised from {old} to {OLDEST}"


def meaning(node: Node, opset: int) -> Build | None:
    """What ``node`` of ``opset`` means, when that differs from the operator of its name today; None when it does not."""
    if node.domain == DOMAIN:
        return CONTRACTS[node.op].build
    if node.domain:
        return None
    if node.op in UNDER_ONNX and schema(node.op, "", opset) is None:
        return CONTRACTS[node.op].build
    adapter = ADAPTERS.get(node.op)
    return adapter.build if adapter is not None and opset < adapter.below and adapter.when(node) else None
