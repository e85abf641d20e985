"""Weights -> weights with zeros, for the layers that were solved.

    Fused(x, W, b)   ->   Fused(x, W', b')         W' holds zeros, and b' makes up for the mean of what is lost

Approximate. What becomes of the zeros, a sparse kernel or fewer bytes, is decided elsewhere.
"""

from collections.abc import Mapping

from edgeopt.ir import Array, Graph, Node
from edgeopt.rewrite import Context, Pass

Pruned = Mapping[str, tuple[Array, Array | None]]


def make(solution: Pruned) -> Pass:
    """The pass for weights and biases (None: as it is) by layer."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in solution or node.name in done or not node.is_own("FusedConv", "FusedGemm"):
            return False
        done.add(node.name)
        weight, bias = solution[node.name]
        node.set_input(1, graph.constant(f"{node.name}.weight", weight))
        if bias is not None:
            node.set_input(2, graph.constant(f"{node.name}.bias", bias))
        return True

    return Pass("prune", rewrite, contract="approximate")
