"""A node that hands its only tensor through -> nothing.

    y = Identity(x), Dropout(x), Concat(x), Sum(x), Max(x), Min(x), Mean(x)   ->   y = x

Dropout only in inference mode and with an unread mask. Not for an Identity that carries the name of a graph output and has
nothing to give it to (a graph input, a constant, another output).
"""

from edgeopt.ir import Graph, Node, Value
from edgeopt.rewrite import Context, Pass

ONE_INPUT = ("Concat", "Sum", "Max", "Min", "Mean")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    if not node.is_op("Identity", "Dropout", *ONE_INPUT) or value is None:
        return False
    if node.op in ONE_INPUT and len(node.inputs) != 1:
        return False
    if node.op == "Dropout" and not _inference(graph, node):
        return context.decline(node, "it is in training mode, or its mask is read")
    if node.op == "Identity" and graph.is_output(node.output) and not _can_take_name(graph, value):
        return context.decline(node, "it carries the name of a graph output")
    graph.replace(node.output, value)
    graph.erase(node)
    return True


def _inference(graph: Graph, node: Node) -> bool:
    training = node.constant(2)
    off = node.input(2) is None or (training is not None and not training.any())
    return off and not any(o.uses or graph.is_output(o) for o in node.outputs[1:])


def _can_take_name(graph: Graph, value: Value) -> bool:
    return value.producer is not None and value.producer.graph is graph and not graph.is_output(value)


PASS = Pass("eliminate_identity", rewrite, roots=("Identity", "Dropout", *ONE_INPUT))
