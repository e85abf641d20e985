"""CastLike of a tensor whose element type is known -> Cast.

    CastLike(x, like)   ->   Cast(x, to=type of like)

The meaning of CastLike itself. Exporters write the bias of a convolution as ``Expand(CastLike(0, x), shape)``; freed of x it is a
constant. Not when the type of ``like`` is unknown.
"""

from edgeopt.ir import Attribute, Graph, Node, onnx_code
from edgeopt.ir.match import dtype_of
from edgeopt.rewrite import Context, Pass

KEPT = ("saturate", "round_mode")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op("CastLike"):
        return False
    dtype = dtype_of(node.input(1))
    if not dtype:
        return context.decline(node, "the type it casts to is not known")
    attributes: dict[str, Attribute] = {"to": onnx_code(dtype)}
    attributes |= {name: node.attributes[name] for name in KEPT if name in node.attributes}
    made = graph.make("Cast", [node.input(0)], [node.output.type], node, name=node.name, attributes=attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)
    return True


PASS = Pass("cast_like_to_cast", rewrite, roots=("CastLike",))
