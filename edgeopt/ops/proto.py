"""The IR written as ONNX protos: nodes, graphs, and one model-local function per variant of an own operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from edgeopt.ir import OWN_DOMAIN, Graph, Node, TensorType, Value
from edgeopt.ops.attributes import attribute_proto
from edgeopt.ops.table import OWN_OPS, attribute_kinds, own_body, schema
from edgeopt.ops.tensors import constant_proto, referring_proto, value_info

FUNCTION_IR_VERSION = 8  # model-local functions came with this IR version


@dataclass
class ProtoWriter:
    """Writes graphs of one model.

    ``data`` False leaves the data of large constants out, which suffices for shape inference. ``types`` False leaves out
    what shape inference will find. ``elsewhere`` names the files of constants whose data are not written.
    ``functions`` collects the functions of own operators: ``FusedConv_0``, ``FusedConv_1``.
    """

    opsets: dict[str, int]
    data: bool = True
    types: bool = True
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    functions: dict[bytes, FunctionProto] = field(default_factory=dict)

    def graph(self, graph: Graph) -> GraphProto:
        """``graph`` as a GraphProto; an output that is no node's own output here passes through an Identity."""
        carriers, outputs = self._outputs(graph)
        nodes = [self.node(node) for node in graph.nodes]
        return helper.make_graph(
            [*nodes, *carriers],
            graph.name,
            [value_info(v.name, v.type) for v in graph.inputs],
            outputs,
            [self._constant(v) for v in graph.constants],
            value_info=list(self._value_infos(graph)),
        )

    def _constant(self, value: Value) -> TensorProto:
        file = self.elsewhere.get(value.name)
        return constant_proto(value, self.data) if file is None else referring_proto(value, file)

    def _outputs(self, graph: Graph) -> tuple[list[NodeProto], list[ValueInfoProto]]:
        carriers, infos, seen = [], [], set[str]()
        for index, value in enumerate(graph.outputs):
            own = value.producer is not None and value.producer.graph is graph
            name = value.name
            if name in seen or (graph.parent is not None and not own):
                name = f"{value.name}~out{index}"
                carriers.append(helper.make_node("Identity", [value.name], [name]))
            seen.add(name)
            infos.append(value_info(name, _with_claim(graph, value) if self.types else _bare(value.type)))
        return carriers, infos

    def _value_infos(self, graph: Graph) -> Iterable[ValueInfoProto]:
        for node in graph.nodes:
            if (self.types and graph.parent is None) or not self._inferable(node):
                yield from (value_info(v.name, v.type) for v in node.outputs if _worth(v, graph))

    def _inferable(self, node: Node) -> bool:
        return node.domain == OWN_DOMAIN or schema(node.op, node.domain, self.opsets.get(node.domain, 1)) is not None

    def node(self, node: Node) -> NodeProto:
        """``node`` as a NodeProto with its metadata; an own operator calls its function."""
        proto = NodeProto(op_type=node.op, domain=node.domain, name=node.name)
        if node.domain == OWN_DOMAIN and node.op in OWN_OPS:
            proto.op_type = self._function(node)
        proto.input.extend("" if v is None else v.name for v in node.inputs)
        proto.output.extend(v.name for v in node.outputs)
        kinds = attribute_kinds(node.op, node.domain, self.opsets.get(node.domain, 1))
        for name, value in node.attributes.items():
            proto.attribute.append(attribute_proto(name, value, kinds.get(name), self.graph))
        for key, text in node.metadata.items():
            proto.metadata_props.add(key=key, value=text)
        return proto

    def model(self, graph: GraphProto) -> ModelProto:
        """A model of ``graph`` with the functions written so far, for type inference."""
        imports = [helper.make_opsetid(d, v) for d, v in {**self.opsets, OWN_DOMAIN: 1}.items()]
        functions = list(self.functions.values())
        return helper.make_model(graph, opset_imports=imports, ir_version=FUNCTION_IR_VERSION, functions=functions)

    def _function(self, node: Node) -> str:
        body = own_body(node, self.opsets[""])
        function = helper.make_function(
            OWN_DOMAIN,
            node.op,
            [f"x{i}" for i in range(len(node.inputs))],
            [f"y{i}" for i in range(len(node.outputs))],
            body.nodes,
            [helper.make_opsetid("", body.opset)],
            attributes=sorted(node.attributes),
        )
        key = function.SerializeToString(deterministic=True)
        if key not in self.functions:
            function.name = f"{node.op}_{sum(f.name.startswith(node.op + '_') for f in self.functions.values())}"
            self.functions[key] = function
        return self.functions[key].name


def captured_values(graph: Graph) -> list[Value]:
    """The values of enclosing graphs that ``graph`` and the graphs inside it read, in the order of first use."""
    inner = list(graph.walk())
    own = {id(v) for g in inner for v in [*g.inputs, *g.constants, *(o for n in g.nodes for o in n.outputs)]}
    used = [v for g in inner for v in [*(i for n in g.nodes for i in n.inputs if i is not None), *g.outputs]]
    return list({id(v): v for v in used if id(v) not in own}.values())


def _with_claim(graph: Graph, value: Value) -> TensorType | None:
    """The type of an output, with the shape that the model declares where the data decide it."""
    claim, type_ = graph.declared.get(value.name), value.type
    if claim is None or type_ is None or (type_.shape is not None and len(type_.shape) != len(claim)):
        return type_
    known = type_.shape or (None,) * len(claim)
    return TensorType(type_.dtype, tuple(k if isinstance(k, int) else c for k, c in zip(known, claim, strict=True)))


def _bare(type_: TensorType | None) -> TensorType | None:
    return TensorType(type_.dtype) if type_ is not None and type_.proto is None else type_


def _worth(value: Value, graph: Graph) -> bool:
    """Whether a type is written: not that of dequantised codes, which is that of the codes but for the element type."""
    plain = value.producer is None or not value.producer.is_op("DequantizeLinear")
    return plain and bool(value.name) and value.type is not None and not graph.is_output(value)
