"""A factor and an addend per channel that no neighbour took in -> depthwise convolution with one tap.

    x * s + t   ->   FusedConv(x, W [C, 1, 1, ...] = s, b = t){group = C}

One pass over the map instead of two, and an activation fuses into it (BatchNormalization -> Relu in front of a padded
convolution). Not for other types than float32, below rank three, when the product has other readers, or when a constant varies
along another axis than the channels, or for an empty map.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, Value
from edgeopt.ir.match import channel_vector, constant_operand, dtype_of, readers, same_type, shape_of, sole_user
from edgeopt.rewrite import Context, Pass


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    product, shift = _operand(node, "Add")
    multiply = product.producer if product is not None else None
    x, scale = _operand(multiply, "Mul") if multiply is not None else (None, None)
    if product is None or multiply is None or x is None or scale is None or shift is None:
        return False
    shape = shape_of(x)
    if dtype_of(x) != "float32" or shape is None or len(shape) < 3 or not same_type(x, node.output):
        return context.decline(node, "its input is not a float32 map, or a constant enlarges it")
    if 0 in shape:
        return context.decline(node, "its input is empty")
    if sole_user(product) is not node:
        return context.decline(node, readers(product))
    factors, addends = channel_vector(scale, len(shape), 1, shape[1]), channel_vector(shift, len(shape), 1, shape[1])
    if factors is None or addends is None:
        return context.decline(node, "a constant varies along an axis other than the channels")
    _emit(graph, node, x, np.ascontiguousarray(factors), np.ascontiguousarray(addends))
    graph.erase(multiply)
    return True


def _operand(node: Node, op: str) -> tuple[Value | None, Array | None]:
    """The computed and the constant operand of ``node`` when it is an ``op``."""
    operands = constant_operand(node) if node.is_op(op) else None
    return (None, None) if operands is None else (node.inputs[operands[0]], node.constant(operands[1]))


def _emit(graph: Graph, node: Node, x: Value, factors: Array, addends: Array) -> None:
    spatial = len(shape_of(x) or ()) - 2
    weight = graph.constant(f"{node.name}.weight", factors.reshape(-1, *[1] * (spatial + 1)))
    bias = graph.constant(f"{node.name}.bias", addends)
    attributes: dict[str, Attribute] = {"group": len(factors), "kernel_shape": (1,) * spatial}
    made = graph.make("FusedConv", [x, weight, bias], [node.output.type], node, OWN_DOMAIN, node.name, attributes)
    graph.replace(node.output, made.output)
    graph.erase(node)


PASS = Pass("scale_shift_to_conv", rewrite, roots=("Add",))
