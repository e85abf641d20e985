"""Which operator a recognised activation becomes: the standard one where the model's opset has it, else that of ai.edgeopt."""

from __future__ import annotations

from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import is_float, same_type

STANDARD_SINCE = {"HardSwish": ("HardSwish", 14), "Mish": ("Mish", 18), "Gelu": ("Gelu", 20), "Silu": ("Swish", 24)}


def replace_by_activation(graph: Graph, node: Node, name: str, x: Value) -> bool:
    """Put the activation ``name`` of ``x`` in the place of ``node``; False when the types do not fit."""
    if not is_float(x) or not same_type(x, node.output):
        return False
    standard, since = STANDARD_SINCE[name]
    own = graph.root.opset < since
    made = graph.make(name if own else standard, [x], [node.output.type], node, OWN_DOMAIN if own else "", node.name)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True
