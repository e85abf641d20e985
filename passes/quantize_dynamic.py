"""Float layer -> integer product of codes that are made at run time, for the layers that a plan names.

    Fused(x, W, b, r){act}   ->   codes, s_x, z_x = DynamicQuantizeLinear(x)
                                  act(Cast(Integer(codes, W', z_x)) * (s_x s_W) + b + r)

Integer is ConvInteger or MatMulInteger and W' the codes of the weight, in int8. This is the form that onnxruntime runs and that
folding takes into one operator. Each layer records the error measured for it. Not when the weight has other codes than int8.
"""

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, TensorType, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.fused import CONV_ATTRIBUTES
from edgeopt.ops.grids import QuantizationPlan, QuantizedWeight
from edgeopt.rewrite import Context, Pass

ERROR = "edgeopt.error"
STANDARD = ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid")
PARAMETERS = ("alpha", "beta")


def make(plan: QuantizationPlan) -> Pass:
    """The pass that carries out the dynamic part of ``plan``."""

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in plan.dynamic or not node.is_own("FusedConv", "FusedGemm"):
            return False
        weight = plan.weights[node.name]
        if weight.grid.dtype != "int8":
            return context.decline(node, f"its weight has codes of {weight.grid.dtype}")
        y = _scaled(graph, node, weight)
        bias = weight.bias if weight.bias is not None else node.constant(2)
        addends = [graph.constant(f"{node.name}.bias", _along(bias, node))] if bias is not None else []
        for addend in (*addends, node.input(3)):
            y = graph.make("Add", [y, addend], [node.output.type], node).output if addend is not None else y
        graph.replace(node.output, _activated(graph, node, y))
        if node.name in plan.errors and y.producer is not None:
            y.producer.metadata[ERROR] = f"{plan.errors[node.name]:.4g}"
        graph.erase(node)
        return True

    return Pass("quantize_dynamic", rewrite, contract="approximate")


def _scaled(graph: Graph, node: Node, weight: QuantizedWeight) -> Value:
    """The product in float32, without bias."""
    codes, scale, zero = _codes(graph, node)
    stored = graph.constant(f"{node.name}.weight", weight.grid.stored(weight.codes), weight.grid.dtype)
    sums, real = (TensorType(dtype, shape_of(node.output)) for dtype in ("int32", "float32"))
    op = "ConvInteger" if node.op == "FusedConv" else "MatMulInteger"
    kept = {k: v for k, v in node.attributes.items() if k in CONV_ATTRIBUTES}
    product = graph.make(op, [codes, stored, zero], [sums], node, name=node.name, attributes=kept)
    steps = graph.constant(f"{node.name}.scale", _along(weight.grid.scale, node))
    type_ = TensorType("float32", tuple(steps.array.shape))
    factor = graph.make("Mul", [scale, steps], [type_], node, name=f"{node.name}.factor")
    cast = graph.make("Cast", [product.output], [real], node, name=f"{node.name}.cast", attributes={"to": 1})
    return graph.make("Mul", [cast.output, factor.output], [real], node, name=f"{node.name}.scaled").output


def _codes(graph: Graph, node: Node) -> list[Value]:
    """The outputs of the DynamicQuantizeLinear of the node's input, which its other readers share."""
    x = node.input(0)
    assert x is not None
    known = next((n for n, _ in x.uses if n.is_op("DynamicQuantizeLinear")), None)
    if known is None:
        types = [TensorType("uint8", shape_of(x)), TensorType("float32", ()), TensorType("uint8", ())]
        known = graph.make("DynamicQuantizeLinear", [x], types, node, name=f"{x.name}.quantize")
    return list(known.outputs)


def _along(vector: Array, node: Node) -> Array:
    """A vector along the output channels of the node."""
    rank = len(shape_of(node.output) or ())
    return vector.reshape(-1, *[1] * (rank - 2)) if node.op == "FusedConv" and vector.ndim else vector


def _activated(graph: Graph, node: Node, y: Value) -> Value:
    kind = node.text("activation", "")
    if not kind:
        return y
    bounds = [graph.constant(f"{node.name}.{k}", _number(node, k)) for k in PARAMETERS] if kind == "Clip" else []
    kept = {k: v for k, v in node.attributes.items() if k in PARAMETERS} if kind in STANDARD else {}
    domain = "" if kind in (*STANDARD, "Clip") else OWN_DOMAIN
    return graph.make(kind, [y, *bounds], [node.output.type], node, domain, f"{node.name}.activation", kept).output


def _number(node: Node, name: str) -> Array:
    return np.array(node.real(name, 0.0), np.float32)
