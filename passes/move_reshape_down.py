"""An elementwise operator of a map of height one that was reshaped to a sequence -> the operator of the map, reshaped.

    f(Reshape(x [N, C, 1, L], [N, C, L]), t)   ->   Reshape(f(x, t'), [N, C, L])        also to [N, C, L, 1]

so that lifted windows follow each other in one layout, and take in what is between them; of floats and of codes. t is a constant
or a tensor that broadcasts; it gets the same axis. Other readers keep the reshaped tensor. Not for another rank, or with an
unknown shape.
"""

import numpy as np

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import rank_of, shape_of
from edgeopt.ops.permutation import BROADCASTING, UNARY
from edgeopt.rewrite import Context, Pass

OWN = {"Silu": (0,), "HardSwish": (0,), "Gelu": (0,), "Mish": (0,), "QuantLookup": (0,), "QuantAdd": (0, 3), "QuantMul": (0, 3)}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    shape = shape_of(node.output)
    if (node.op not in UNARY | BROADCASTING or node.domain) and not node.is_own(*OWN) or not shape or 0 in shape:
        return False
    operands = _operands(node)
    if not any(_source(node.input(i), shape) is not None for i in operands):
        return False
    if any(shape_of(v) is None or (rank_of(v) or 0) > len(shape) for v in node.inputs if v is not None):
        return context.decline(node, "the shape of another operand is unknown")
    parameters = [v for i, v in enumerate(node.inputs) if i not in operands and v is not None]
    if node.op != "QuantLookup" and any(np.prod(shape_of(v) or ()) != 1 for v in parameters):
        return context.decline(node, "a parameter has more than one element")
    inputs = [_mapped(graph, node, v, shape) if i in operands else v for i, v in enumerate(node.inputs)]
    assert node.output.type is not None
    made = graph.make(
        node.op, inputs, [TensorType(node.output.type.dtype, _plane(shape))], node, node.domain, node.name, node.attributes
    )
    target = graph.constant(f"{node.output.name}.shape", np.array(shape, np.int64))
    back = graph.make("Reshape", [made.output, target], [node.output.type], node, name="reshape")
    graph.replace(node.output, back.output)
    graph.erase(node)
    return True


def _operands(node: Node) -> tuple[int, ...]:
    if node.domain:
        return OWN[node.op]
    return (0,) if node.op in UNARY else tuple(range(len(node.inputs)))


def _plane(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], 1, shape[2])


def _source(value: Value | None, shape: tuple[int, ...]) -> Value | None:
    """The map of height one that ``value``, of the shape of the result, is the reshaped form of."""
    node = value.producer if value is not None else None
    if node is None or not node.is_op("Reshape") or len(shape) < 3 or shape[3:] not in ((), (1,)) or shape_of(value) != shape:
        return None
    source = node.input(0)
    lifted = shape_of(source) == _plane(shape) and shape_of(source) != shape
    return source if lifted else None


def _mapped(graph: Graph, node: Node, value: Value | None, shape: tuple[int, ...]) -> Value | None:
    """``value`` with the axes of the map; a single number broadcasts as it is."""
    found = _source(value, shape)
    own = shape_of(value) or ()
    if value is None or found is not None or (np.prod(own) == 1 and len(own) <= 4):
        return found or value
    full = _plane(((1,) * (len(shape) - len(own))) + own)
    assert value.type is not None
    if value.is_constant:
        return graph.constant(value.name, value.array.reshape(full), value.type.dtype)
    target = graph.constant(f"{value.name}.lifted", np.array(full, np.int64))
    return graph.make("Reshape", [value, target], [TensorType(value.type.dtype, full)], node, name="reshape").output


PASS = Pass("move_reshape_down", rewrite, roots=(*UNARY, *BROADCASTING, *OWN))
