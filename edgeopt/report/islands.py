"""What stays in float in a quantised network, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ops.table import OWN_OPS

FOLDING = ("fold_qdq", "fold_qdq_arithmetic", "fold_qdq_lookup", "move_qdq", "fold_dynamic_quantization")
ROUNDING = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
MOVING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose")


@dataclass(frozen=True)
class Island:
    """A node that computes in float between integer ones, or at an end of the network."""

    node: str
    op: str
    reason: str


def islands(graph: Graph, declined: Sequence[tuple[str, str, str]]) -> list[Island]:
    """The nodes of ``graph`` that compute in float32 although others compute in integers; none in a network of one kind.

    ``declined`` are (pass, node, reason) as ``edgeopt.rewrite.Context`` collects them.
    """
    if not any(_is_integer(node) for node in graph.nodes):
        return []
    reasons = {node: reason for name, node, reason in declined if name in FOLDING}
    return [Island(n.name, n.op, reasons.get(repr(n)) or _reason(n)) for n in graph.nodes if _is_float(n)]


def _is_integer(node: Node) -> bool:
    return node.domain == OWN_DOMAIN and OWN_OPS[node.op].numeric == "integer"


def _is_float(node: Node) -> bool:
    kept = node.is_op(*ROUNDING, *MOVING) or _is_integer(node)
    return not kept and any(_dtype(v) == "float32" for v in node.outputs)


def _reason(node: Node) -> str:
    sources = [v for v in node.inputs if v is not None and not v.is_constant]
    if not any(v.producer is not None and v.producer.is_op("DequantizeLinear") for v in sources):
        return "what it reads is not quantised"
    if not all(user.is_op("QuantizeLinear") for out in node.outputs for user in out.users):
        return "its result is read in float"
    return "it has no integer form"


def _dtype(value: Value) -> str:
    return value.type.dtype if value.type is not None else ""
