"""If with a constant condition -> the nodes of the branch it takes.

    y = If(true){then: ... return a, else: ...}   ->   ..., y = a

The values of the branch get fresh names, which its sibling may use too. Not when the condition is computed.
"""

from edgeopt.ir import Graph, Node
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("If"):
        return False
    condition = node.constant(0)
    if condition is None:
        return context.decline(node, "its condition is computed at run time")
    branch = node.attributes["then_branch" if condition.reshape(-1)[0] else "else_branch"]
    if not isinstance(branch, Graph):
        return context.decline(node, "its branch is not a graph")
    _move(branch, graph, node)
    for old, new in zip(node.outputs, branch.outputs, strict=True):
        graph.replace(old, new)
    branch.outputs = []
    graph.erase(node)
    return True


def _move(branch: Graph, graph: Graph, before: Node) -> None:
    """Make the nodes and constants of ``branch`` nodes and constants of ``graph``, in front of ``before``."""
    position = graph.nodes.index(before)
    for node in branch.nodes:
        node.graph = graph
        for inner in node.subgraphs:
            inner.parent = graph
    for value in [*branch.constants, *(o for n in branch.nodes for o in n.outputs if o.name)]:
        value.name = graph.fresh(value.name)
    graph.nodes[position:position] = branch.nodes
    graph.constants += branch.constants
    branch.nodes, branch.constants = [], []


PASS = Pass("inline_if", rewrite, roots=("If",))
