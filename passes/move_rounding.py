"""QuantizeLinear above, and DequantizeLinear below, an operator that only renames or orders elements.

    Q(move(x))     ->   move(Q(x))          for Reshape, Transpose, DepthToSpace, SpaceToDepth
    move(DQ(x))    ->   DQ(move(x))         also for Slice, Gather, Split and nearest Resize

Exact, with one scale: rounding an element is the same wherever it lies. Codes are a quarter of the bytes to move, and rounding
comes next to what computes the numbers. Not when the moved numbers have other readers, when a window was lifted (then the
reshape itself moves down), or for codes that ONNX does not define the operator for.
"""

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.contracts.types import takes
from edgeopt.ops.qdq import dequantized, is_per_tensor, quantizing_user
from edgeopt.rewrite import Context, Pass

ORDERS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "SpaceToDepth")
PICKS = ("Slice", "Gather", "Split", "Resize")


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_op(*ORDERS, *PICKS) or any(o.type is None or not o.type.static for o in node.outputs):
        return False
    if node.is_op("Resize") and not _picks(node):
        return False
    source = dequantized(node.input(0))
    if source is not None and is_per_tensor(source) and source.graph is graph and not _drops(node):
        return takes(node, dtype_of(source.input(0))) and _lower(graph, node, source)
    end = quantizing_user(node.output)
    if end is None or node.is_op(*PICKS) or source is not None or node.input(0) is None or not takes(node, dtype_of(end.output)):
        return False
    if node.inputs[0] is not None and node.inputs[0].is_constant:
        return False
    return _raise(graph, node, end)


def _picks(node: Node) -> bool:
    """Whether each element of a Resize is one of its input."""
    inside = node.text("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize"
    return inside and node.text("mode", "nearest") == "nearest"


def _drops(node: Node) -> bool:
    """A lifted window's reshape back, which goes below what follows (``move_reshape_down``)."""
    before, after = shape_of(node.input(0)) or (), shape_of(node.output) or ()
    return len(before) == 4 and before[2] == 1 and before[:2] == after[:2] and before[3:] == after[2:3]


def _lower(graph: Graph, node: Node, source: Node) -> bool:
    for output, codes in zip(node.outputs, _moved(graph, node, source.input(0)).outputs, strict=True):
        made = graph.make("DequantizeLinear", [codes, *source.inputs[1:]], [output.type], node, name=source.name)
        graph.replace(output, made.output)
    graph.erase(node)
    return True


def _raise(graph: Graph, node: Node, end: Node) -> bool:
    x = node.input(0)
    assert x is not None and x.type is not None
    codes = graph.make(
        "QuantizeLinear", [x, *end.inputs[1:]], [TensorType(dtype_of(end.output), x.type.dims)], node, name=end.name
    )
    graph.replace(end.output, _moved(graph, node, codes.output).output)
    graph.erase(end)
    graph.erase(node)
    return True


def _moved(graph: Graph, node: Node, codes: Value | None) -> Node:
    """The same move of ``codes``."""
    types = [TensorType(dtype_of(codes), o.type.dims) for o in node.outputs if o.type is not None]
    return graph.make(node.op, [codes, *node.inputs[1:]], types, node, name=node.name, attributes=node.attributes)


PASS = Pass("move_rounding", rewrite, roots=(*ORDERS, *PICKS))
