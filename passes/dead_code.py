"""A node nobody reads -> nothing; a constant nobody reads -> nothing.

    y = op(x), y unread   ->   (nothing)

The constants that lose their last reader go with it. Graph inputs stay: they are the signature of the model. Always legal: no
operator has side effects.
"""

from edgeopt.ir import Graph, Node, Value
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not any(o.uses or _leaves(graph, o) for o in node.outputs):
        read = {id(v): v for v in node.inputs if v is not None and v.is_constant}
        graph.erase(node)
        for value in read.values():
            if not value.uses and not _leaves(graph, value) and value in graph.constants:
                graph.constants.remove(value)
        return True
    return node is graph.nodes[0] and _drop_constants(graph)


def _leaves(graph: Graph, value: Value) -> bool:
    """True for an output of this graph or of a subgraph that hands an outer value through."""
    return any(inner.is_output(value) for inner in graph.walk())


def _drop_constants(graph: Graph) -> bool:
    kept = [c for c in graph.constants if c.uses or _leaves(graph, c)]
    if len(kept) == len(graph.constants):
        return False
    graph.constants = kept
    graph.touch()
    return True


PASS = Pass("dead_code", rewrite)
