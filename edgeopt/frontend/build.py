"""Builds the IR from a checked model. Nodes and attributes are read by onnx-graphsurgeon; what it drops is carried here.

onnx-graphsurgeon leaves out metadata, rare attribute kinds and rare types, and resolves a name that a subgraph shares with
its enclosing graph to the wrong one; so those come from the protos, which are walked in parallel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx_graphsurgeon.logger.logger import G_LOGGER, LoggerSuppress
from onnx_graphsurgeon.util.exception import OnnxGraphSurgeonException

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.declared import body_type, claim_outputs, without_dims
from edgeopt.frontend.functions import own_name
from edgeopt.frontend.node_names import NodeNames
from edgeopt.frontend.stored import StoredTensor, apart, densify
from edgeopt.frontend.unread import name_unread
from edgeopt.ir import OWN_DOMAIN, Attribute, Graph, Node, TensorType, Value, dtype_name
from edgeopt.ops.tensors import tensor_type

Scope = dict[str, Value]


def build_graph(model: ModelProto, folder: Path | None) -> Graph:
    """The IR of ``model``; the data of its constants stays where it is. Raises EdgeoptError when the reader fails."""
    try:
        with LoggerSuppress(G_LOGGER, G_LOGGER.CRITICAL):
            source = gs.import_onnx(model)
    except (OnnxGraphSurgeonException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EdgeoptError(f"graph '{model.graph.name}' cannot be read by onnx-graphsurgeon: {error}") from error
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    producer = (model.producer_name, model.producer_version)
    graph = Graph(opsets=opsets, ir_version=model.ir_version, metadata=metadata, producer=producer)
    builder = _Builder(folder, set(), NodeNames(model.graph))
    builder.fill(graph, source, model.graph, {})
    claim_outputs(graph, model.graph)
    # Names such as 'conv~5' come from an earlier compilation; new ones must not meet them.
    graph._serial = max((int(m.group(1)) for m in (re.search(r"~(\d{1,9})$", n) for n in builder.names) if m), default=0)
    name_unread(graph)
    return graph


@dataclass
class _Builder:
    folder: Path | None
    names: set[str]
    nodes: NodeNames

    def fill(self, graph: Graph, source: gs.Graph, proto: GraphProto, outer: Scope) -> None:
        """Fill ``graph``; ``outer`` holds the values of the enclosing graphs by their name in the file."""
        graph.name = proto.name or "graph"
        types = {i.name: tensor_type(i.type) for i in [*proto.value_info, *proto.output, *proto.input]}
        scope = dict(outer)
        believed = body_type if graph.parent is not None else lambda type_: type_
        graph.inputs = [self.define(scope, outer, i.name, believed(types[i.name])) for i in proto.input]
        graph.constants = [self.constant(scope, outer, t.name, t) for t in proto.initializer]
        for node, written in zip(source.nodes, proto.node, strict=True):
            tensor = constant_tensor(written)
            if tensor is not None:
                graph.constants.append(self.constant(scope, outer, written.output[0], tensor))
            else:
                self.add_node(graph, node, written, scope, outer, types)
        graph.outputs = [scope[out.name] for out in proto.output]
        for value, out in zip(graph.outputs, proto.output, strict=True):
            value.type = value.type or types.get(out.name)

    def define(self, scope: Scope, outer: Scope, name: str, type_: TensorType | None) -> Value:
        """A new value; a name that an enclosing graph also uses is changed, since names are unique in the IR."""
        unique, serial = name, 0
        while name and name in outer and unique in self.names:
            serial += 1
            unique = f"{name}_inner{serial}"
        self.names.add(unique)
        value = Value(unique, type_)
        if name:
            scope[name] = value
        return value

    def constant(self, scope: Scope, outer: Scope, name: str, tensor: TensorProto) -> Value:
        value = self.define(scope, outer, name, TensorType(dtype_name(tensor.data_type), tuple(tensor.dims)))
        value.load = StoredTensor(apart(tensor), self.folder)
        return value

    def add_node(
        self, graph: Graph, source: gs.Node, proto: NodeProto, scope: Scope, outer: Scope, types: dict[str, TensorType | None]
    ) -> None:
        attributes = {a.name: self.attribute(graph, source, a, scope) for a in proto.attribute}
        inputs = [scope[name] if name else None for name in proto.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        outputs = [self.define(scope, outer, name, without_dims(types.get(name))) for name in proto.output]
        op = own_name(source.op) if proto.domain == OWN_DOMAIN else ""
        metadata = {entry.key: entry.value for entry in proto.metadata_props}
        name = self.nodes.name(source.name, source.op)
        graph.insert(Node(op or source.op, inputs, outputs, attributes, proto.domain, name, metadata))

    def attribute(self, graph: Graph, source: gs.Node, proto: AttributeProto, scope: Scope) -> Attribute:
        value = source.attrs.get(proto.name)
        if proto.type == AttributeProto.TENSOR:
            return StoredTensor(proto.t, self.folder)()
        if proto.type == AttributeProto.GRAPH:
            inner = Graph(parent=graph)
            self.fill(inner, value, proto.g, scope)
            return inner
        # onnx-graphsurgeon skips the kinds it does not know: types and sparse tensors stay protos.
        return helper.get_attribute_value(proto) if value is None else value


def constant_tensor(node: NodeProto) -> TensorProto | None:
    """The tensor of a Constant node, whatever form it has; None for any other node."""
    if node.domain or node.op_type != "Constant" or len(node.attribute) != 1 or not node.output[0]:
        return None
    attribute = node.attribute[0]
    if attribute.type == AttributeProto.TENSOR:
        tensor: TensorProto = attribute.t
        return tensor
    if attribute.type == AttributeProto.SPARSE_TENSOR:
        return densify(attribute.sparse_tensor)
    return _plain_tensor(attribute)


def _plain_tensor(attribute: AttributeProto) -> TensorProto:
    dtype = {"i": "int64", "f": "float32", "s": "object"}[attribute.name.removeprefix("value_")[0]]
    value = helper.get_attribute_value(attribute)
    return numpy_helper.from_array(np.asarray(value, dtype=dtype))
