"""Look-up product -> QuantizeLinear becomes one operator that gives codes.

    QuantizeLinear(Lookup(x, ..., b, r), s, z)   ->   Lookup(x, ..., b, s, z, r)

Exact up to one code: the sum is rounded once.
Not when something else reads the product in float.
"""

from edgeopt.ir import OWN_DOMAIN, Graph, Node
from edgeopt.ops.qdq import grid, quantizing_user
from edgeopt.rewrite import Context, Pass

RESULT = 7  # the input that holds the scale of the result


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.input(RESULT) is not None:
        return False
    quantize = quantizing_user(node.output)
    if quantize is None:
        return context.decline(node, "no QuantizeLinear of one scale alone reads it, so its result stays in float")
    inputs = [*node.inputs, *[None] * (RESULT + 2 - len(node.inputs))]
    inputs[RESULT : RESULT + 2] = grid(quantize)
    made = graph.make(node.op, inputs, [quantize.output.type], quantize, OWN_DOMAIN, node.name, dict(node.attributes))
    made.metadata.update(node.metadata)
    graph.replace(quantize.output, made.output)
    graph.erase(quantize)
    graph.erase(node)
    return True


PASS = Pass("fold_lookup_result", rewrite, roots=("LookupConv", "LookupGemm"))
