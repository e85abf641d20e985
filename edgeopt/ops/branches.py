"""The type of an If of which only one branch is well typed at the shapes that are bound.

A model may serve two input sizes by two branches; with one size bound, the other branch can only fail. The If then has
the type of the branch that works.
"""

from __future__ import annotations

from onnx import shape_inference

from edgeopt.ir import Graph, Node, Value
from edgeopt.ops.propagation import Known
from edgeopt.ops.proto import ProtoWriter, captured_values
from edgeopt.ops.tensors import constant_proto, value_info


def settle_branches(graph: Graph, known: Known) -> bool:
    """Type the Ifs of ``graph`` of which one branch is static and the other one ill-typed; True when that typed one."""
    ifs = [node for inner in graph.walk() for node in inner.nodes if node.is_op("If")]
    settled = [_settle(node, known) for node in ifs]
    return any(settled)


def _settle(node: Node, known: Known) -> bool:
    branches = [node.attributes.get(name) for name in ("then_branch", "else_branch")]
    graphs = [b for b in branches if isinstance(b, Graph)]
    sound = [g for g in graphs if _static(g.outputs)]
    if _static(node.outputs) or len(graphs) != 2 or len(sound) != 1 or len(sound[0].outputs) != len(node.outputs):
        return False
    (other,) = (g for g in graphs if g is not sound[0])
    if not _ill_typed(other, known):
        return False
    for out, result in zip(node.outputs, sound[0].outputs, strict=True):
        out.type = result.type
    return True


def _static(values: list[Value]) -> bool:
    return all(v.type is not None and v.type.static for v in values)


def _ill_typed(graph: Graph, known: Known) -> bool:
    writer = ProtoWriter(dict(graph.root.opsets), data=False, types=False, known=known)
    proto = writer.graph(graph)
    captured = captured_values(graph)
    proto.input.extend(value_info(v.name, v.type) for v in captured if not v.is_constant)
    proto.initializer.extend(constant_proto(v, data=False) for v in captured if v.is_constant)
    try:
        shape_inference.infer_shapes(writer.model(proto), strict_mode=True, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError):
        return True
    return False
