"""Puts the standard nodes that a node means in its place."""

from __future__ import annotations

from onnx import AttributeProto, NodeProto, helper

from edgeopt.frontend.build import constant_tensor
from edgeopt.frontend.stored import StoredTensor
from edgeopt.ir import Attribute, Graph, Node, Value
from edgeopt.ops.definition import Body, Build


def unfold(graph: Graph, node: Node, build: Build) -> list[Node]:
    """Replace ``node`` by the nodes of the body that ``build`` makes; returns them in their order.

    The outputs change hands, so that their names, types and readers stay. The node that computes the first one has the name.
    """
    body = Body(graph.root.opset)
    build(node, body)
    scope = {f"x{i}": value for i, value in enumerate(node.inputs)}
    results = {f"y{i}": value for i, value in enumerate(node.outputs)}
    node.outputs = []
    made = [part for proto in body.nodes if (part := _part(graph, node, proto, scope, results)) is not None]
    graph.erase(node)
    return made


def _part(graph: Graph, node: Node, proto: NodeProto, scope: dict[str, Value | None], results: dict[str, Value]) -> Node | None:
    tensor = constant_tensor(proto)
    if tensor is not None and proto.output[0] not in results:
        scope[proto.output[0]] = graph.constant(f"{node.name}.constant", StoredTensor(tensor)())
        return None
    inputs = [scope[name] if name else None for name in proto.input]
    while inputs and inputs[-1] is None:
        inputs.pop()
    outputs = [results.get(name) or Value(graph.fresh(node.name) if name else "") for name in proto.output]
    scope.update(zip(proto.output, outputs, strict=True))
    attributes = {a.name: _attribute(a) for a in proto.attribute}
    name = node.name if "y0" in proto.output else graph.fresh(f"{node.name}.{proto.op_type.lower()}")
    part = Node(proto.op_type, inputs, outputs, attributes, proto.domain, name, dict(node.metadata))
    return graph.insert(part, node)


def _attribute(proto: AttributeProto) -> Attribute:
    if proto.type == AttributeProto.TENSOR:
        return StoredTensor(proto.t)()
    value: Attribute = helper.get_attribute_value(proto)
    return value
