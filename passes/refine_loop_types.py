"""States of a Loop whose shape no turn changes -> states of that shape.

    Loop(trips, go, s0: float32[2,8])  { s: float32[?,?] -> f(s) }   ->   Loop ... { s: float32[2,8] -> f(s): float32[2,8] }

By induction: if the body, given states shaped like the first ones, makes states of the same shapes, all turns do. ONNX does not
conclude that by itself. Where the number of turns is known, what the loop stacks has a known length too. The numbers are not
touched. Not for states that grow.
"""

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ops import infer_types
from edgeopt.ops.turns import known_turns
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    body = node.attributes.get("body")
    if (
        not isinstance(body, Graph)
        or _is_static(node, body)
        or not all(v is not None and _static(v.type) for v in node.inputs[2:])
    ):
        return False
    before = [(v, v.type) for v in [*node.outputs, *_values(body)]]
    if not _refined(node, body):
        for value, type_ in before:
            value.type = type_
        return context.decline(node, "a turn changes the shape of a state, or it is not known whether it does")
    if all(v.type == t for v, t in before):
        return False
    graph.touch()
    return True


def _refined(node: Node, body: Graph) -> bool:
    """Give the body, and the loops in it, the types of the first states; whether a turn keeps them."""
    first = [v.type if v is not None else None for v in node.inputs[2:]]
    for value, type_ in zip(body.inputs[2:], first, strict=True):
        value.type = type_
    infer_types(body)
    for inner in [n for n in body.nodes if n.is_op("Loop")]:
        deeper = inner.attributes.get("body")
        if isinstance(deeper, Graph) and all(v is not None and _static(v.type) for v in inner.inputs[2:]):
            _refined(inner, deeper)
            infer_types(body)
    made = body.outputs[1 : 1 + len(first)]
    if any(v.type is None or t is None or v.type.shape != t.shape for v, t in zip(made, first, strict=True)):
        return False
    for out, type_ in zip(node.outputs, [*first, *_stacks(node, body, len(first))], strict=True):
        out.type = type_ if _static(type_) and not _static(out.type) else out.type
    return True


def _is_static(node: Node, body: Graph) -> bool:
    return all(_static(v.type) for v in [*body.inputs[2:], *(o for o in node.outputs if o.name)])


def _values(graph: Graph) -> list[Value]:
    return [v for g in graph.walk() for v in [*g.inputs, *(o for n in g.nodes for o in n.outputs)]]


def _static(type_: TensorType | None) -> bool:
    return type_ is not None and type_.static


def _stacks(node: Node, body: Graph, states: int) -> list[TensorType | None]:
    length = known_turns(node, body)
    elements = [v.type for v in body.outputs[1 + states :]]
    known = [t if t is not None and t.static and length is not None else None for t in elements]
    return [TensorType(t.dtype, (length, *t.dims)) if t is not None else None for t in known]


PASS = Pass("refine_loop_types", rewrite, roots=("Loop",))
