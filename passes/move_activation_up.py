"""Activation behind a Reshape or Transpose of a convolution's or matrix product's result -> in front of it.

    act(Reshape(Fused(x)))   ->   Reshape(act(Fused(x)))

where fuse_activation takes it in. Elementwise operators do not see how elements are arranged. Not when the product or the
rearranged tensor has other readers, when the product has an activation, or for a Clip whose bounds are computed.
"""

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import only_feeds, readers, sole_user
from edgeopt.rewrite import Context, Pass

ACTIVATIONS = ("Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "HardSigmoid", "Clip", "Gelu", "Silu", "Swish")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    value = node.input(0)
    move = value.producer if value is not None else None
    product = _product(move) if move is not None else None
    if node.op not in ACTIVATIONS or value is None or move is None or product is None or product.text("activation", ""):
        return False
    if sole_user(value) is not node or not only_feeds(product, move):
        return context.decline(node, f"{readers(value)}, {readers(product.output)}")
    if any(v is not None and not v.is_constant for v in node.inputs[1:]):
        return context.decline(node, "its bounds are computed at run time")
    inputs = [product.output, *node.inputs[1:]]
    act = graph.make(node.op, inputs, [product.output.type], move, node.domain, node.name, node.attributes)
    rearranged = [act.output, *move.inputs[1:]]
    last = graph.make(move.op, rearranged, [node.output.type], node, move.domain, move.name, move.attributes)
    graph.replace(node.output, last.output)
    graph.erase(node)
    graph.erase(move)
    return True


def _product(move: Node) -> Node | None:
    """The FusedConv or FusedGemm whose result ``move`` rearranges."""
    value = move.input(0) if move.is_op("Reshape", "Transpose") else None
    producer = value.producer if value is not None else None
    return producer if producer is not None and producer.is_own("FusedConv", "FusedGemm") else None


PASS = Pass("move_activation_up", rewrite, roots=ACTIVATIONS)
