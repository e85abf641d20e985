"""A value of unknown or partly unknown type -> the type that follows from its producer.

    y = op(x): float32[?,?]   ->   y = op(x): float32[1,16]

Folding makes shapes known that were computed before (a Reshape to a computed shape); the other passes then see them.
The numbers are not touched. Not when inference learns nothing new.
"""

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType
from edgeopt.ops import infer
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    open_ = [o for o in node.outputs if o.name and (o.type is None or not (o.type.static or o.type.proto is not None))]
    if not open_ or any(v is not None and (v.type is None or not v.type.static) for v in node.inputs):
        return False
    try:
        inferred = dict(zip(node.outputs, infer(node), strict=True))
    except EdgeoptError as error:
        return context.decline(node, str(error))
    changed = [(value, type_) for value in open_ if (type_ := inferred[value]) is not None and _known(type_) > _known(value.type)]
    for value, type_ in changed:
        value.type = type_
        graph.touch()
    return bool(changed)


def _known(type_: TensorType | None) -> int:
    """How much a type says: 0 nothing, 1 the element type, 2 the rank, and one more for each known dimension."""
    if type_ is None:
        return 0
    return 1 if type_.shape is None else 2 + sum(isinstance(d, int) for d in type_.shape)


PASS = Pass("refine_types", rewrite)
