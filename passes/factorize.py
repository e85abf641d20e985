"""A layer -> the sum of chains of cheaper layers that was solved for it.

    FusedConv(x, W, b, r){act}   ->   act(sum over chains of Conv(Conv(x, W1), W2) + b' + r)
    FusedGemm(x, W, b, r){act}   ->   act((x W1) W2 + b' + r)

Approximate: the chains stand for a weight near W, and b' makes up for what that changes in the mean. Convolutions that read the
same map and are summed behind a 1x1 convolution lie side by side in one map (Concat), so that the sum is taken inside of that.
"""

from collections.abc import Mapping

from edgeopt.ir import Graph, Node
from edgeopt.ops.chain import Chains, put_in_place
from edgeopt.rewrite import Context, Pass


def make(solution: Mapping[str, Chains]) -> Pass:
    """The pass for what was solved, by layer."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in solution or not node.is_own("FusedConv", "FusedGemm"):
            return False
        put_in_place(graph, node, solution[node.name])
        return True

    return Pass("factorize", rewrite, contract="approximate")
