"""A window along one axis -> the same window along the rows of a map of height one.

    Conv(x [N, C, L], W [M, C, k])      ->   Reshape(Conv(Reshape(x, [N, C, 1, L]), W [M, C, 1, k]), [N, M, L'])
    Conv(x [N, C, L, 1], W [M, C, k, 1])   ->   the same, with the axis turned

for the convolutions with bias, residual and activation, of floats and of codes, transposed ones and pools. Kernels walk rows of
maps; a reshape moves nothing. Not with a computed weight, an unknown or empty shape, or pads across the axis.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Graph, Node, TensorType, Value
from edgeopt.ir.match import rank_of, shape_of
from edgeopt.rewrite import Context, Pass

# where an operator has its weight and its residual
CONVOLUTIONS = {"FusedConv": (1, 3), "HybridConv": (1, 4), "QuantConv": (3, 9), "ConvTranspose": (1, None)}
CONVOLUTIONS |= {"QuantConvTranspose": (3, None)}
POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
PER_AXIS = ("kernel_shape", "strides", "dilations", "output_padding", "output_shape")
NEUTRAL = {"output_padding": 0}


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if node.op not in (*CONVOLUTIONS, *POOLS) or node.domain not in ("", OWN_DOMAIN):
        return False
    if rank_of(node.input(0)) not in (3, 4):
        return False
    if any(not shape_of(v) or 0 in (shape_of(v) or ()) for v in (node.input(0), node.output)):
        return context.decline(node, "a shape is unknown or empty")
    weight, residual = CONVOLUTIONS.get(node.op, (None, None))
    if weight is not None and node.constant(weight) is None:
        return context.decline(node, "its weight is computed")
    if not _along_one_axis(node, weight) or (node.op in POOLS and any(o.uses for o in node.outputs[1:])):
        return False
    inputs = list(node.inputs)
    for index in (0, residual):
        if index is not None and (value := node.input(index)) is not None:
            inputs[index] = _lifted(graph, node, value)
    if weight is not None:
        inputs[weight] = _lifted_weight(graph, node.inputs[weight])
    _replace(graph, node, inputs)
    return True


def _along_one_axis(node: Node, weight: int | None) -> bool:
    """Whether the window is that of a sequence, or of a map of width one that is higher than wide."""
    source, result = shape_of(node.input(0)) or (), shape_of(node.output) or ()
    if len(source) == 3:
        return True
    kernel = shape_of(node.input(weight))[2:] if weight is not None else node.integers("kernel_shape")  # type: ignore[index]
    across = [p for i, p in enumerate(node.integers("pads")) if i % 2] + [p - 1 for p in node.integers("output_shape")[1:]]
    narrow = source[3] == result[3] == 1 and source[2] > 1 and node.text("auto_pad", "NOTSET") == "NOTSET"
    return narrow and tuple(kernel[1:]) == (1,) and not any((*across, *node.integers("output_padding")[1:]))


def _lifted(graph: Graph, node: Node, value: Value) -> Value:
    shape = _plane(value)
    target = graph.constant(f"{value.name}.lifted", np.array(shape, np.int64))
    assert value.type is not None
    return graph.make("Reshape", [value, target], [TensorType(value.type.dtype, shape)], node, name="reshape").output


def _plane(value: Value) -> tuple[int, ...]:
    shape = shape_of(value) or ()
    return (*shape[:2], 1, shape[2])


def _lifted_weight(graph: Graph, value: Value | None) -> Value:
    assert value is not None and value.type is not None
    return graph.constant(value.name, value.array.reshape(_plane(value)), value.type.dtype)


def _replace(graph: Graph, node: Node, inputs: list[Value | None]) -> None:
    attributes = dict(node.attributes)
    for name in PER_AXIS:
        if given := node.integers(name):
            attributes[name] = (NEUTRAL.get(name, 1), given[0])
    if pads := node.integers("pads"):
        attributes["pads"] = (0, pads[0], 0, pads[len(pads) // 2])
    value = node.output
    assert value.type is not None
    types = [TensorType(value.type.dtype, _plane(value)), *(o.type for o in node.outputs[1:])]
    made = graph.make(node.op, inputs, types, node, node.domain, node.name, attributes)
    back = graph.constant(f"{value.name}.shape", np.array(value.type.dims, np.int64))
    reshaped = graph.make("Reshape", [made.output, back], [value.type], node, name="reshape")
    graph.replace(value, reshaped.output)
    graph.erase(node)


PASS = Pass("lift_window", rewrite, roots=(*CONVOLUTIONS, *POOLS))
