"""Types by ONNX shape inference: of one node, and of a whole graph. Own operators are typed through their bodies."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, helper, shape_inference

from edgeopt.errors import EdgeoptError
from edgeopt.ir import OWN_DOMAIN, Graph, Node, TensorType, Value
from edgeopt.ops.proto import ProtoWriter
from edgeopt.ops.tensors import constant_proto, tensor_type, value_info

Types = dict[str, TensorType]
FUNCTION_IR_VERSION = 8


def infer(node: Node) -> list[TensorType | None]:
    """The types of the outputs of ``node`` from the types of its inputs and its small constants; None where unknown."""
    opsets = dict(node.graph.root.opsets) if node.graph is not None else {"": 21}
    writer = ProtoWriter(opsets, data=False, types=False)
    proto = writer.node(node)
    values = list(_read(node).values())
    outputs = [f"~y{i}" if out.name else "" for i, out in enumerate(node.outputs)]
    del proto.output[:]
    proto.output.extend(outputs)
    graph = helper.make_graph(
        [proto],
        "node",
        [value_info(v.name, v.type) for v in values if not v.is_constant],
        [value_info(name, None) for name in outputs if name],
        [constant_proto(v, data=False) for v in values if v.is_constant],
    )
    types = _graph_types(_run(graph, writer).graph)
    return [types.get(name) for name in outputs]


def _read(node: Node) -> dict[str, Value]:
    """Everything ``node`` reads, by name, including what its subgraphs capture from enclosing graphs."""
    read = {v.name: v for v in node.inputs if v is not None}
    for graph in node.subgraphs:
        inner = [g for g in graph.walk()]
        own = {id(v) for g in inner for v in [*g.inputs, *g.constants, *(o for n in g.nodes for o in n.outputs)]}
        used = [v for g in inner for v in [*g.outputs, *(i for n in g.nodes for i in n.inputs if i is not None)]]
        read.update((v.name, v) for v in used if id(v) not in own)
    return read


def infer_types(graph: Graph, strict: bool = False) -> None:
    """Fill and update the type of every value of ``graph`` and of its subgraphs, from its inputs and constants.

    A value that inference cannot type keeps the type it had. With ``strict`` an operator whose inputs do not fit raises
    EdgeoptError that names it; otherwise its outputs stay as they were.
    """
    writer = ProtoWriter(dict(graph.opsets), data=False, types=False)
    model = _run(writer.graph(graph), writer, strict)
    _assign(graph, model.graph)


def _run(graph: GraphProto, writer: ProtoWriter, strict: bool = False) -> ModelProto:
    imports = {**writer.opsets, OWN_DOMAIN: 1}
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(d, v) for d, v in imports.items()],
        ir_version=FUNCTION_IR_VERSION,
        functions=list(writer.functions.values()),
    )
    try:
        return shape_inference.infer_shapes(model, check_type=strict, strict_mode=strict, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = str(error).strip().replace("[ShapeInferenceError] ", "")
        raise EdgeoptError(f"the shapes of graph '{graph.name}' do not fit together: {reason}; check the model and its shapes")


def _graph_types(graph: GraphProto) -> Types:
    found = ((info.name, tensor_type(info.type)) for info in [*graph.value_info, *graph.output])
    return {name: type_ for name, type_ in found if type_ is not None}


def _assign(graph: Graph, proto: GraphProto) -> None:
    types = _graph_types(proto)
    for node, written in zip(graph.nodes, proto.node, strict=False):
        for value in node.outputs:
            value.type = _sharper(value.type, types.get(value.name))
        inner = {a.name: a.g for a in written.attribute}
        for name, attribute in node.attributes.items():
            if isinstance(attribute, Graph):
                _assign_inputs(attribute, inner[name])
                _assign(attribute, inner[name])


def _assign_inputs(graph: Graph, proto: GraphProto) -> None:
    for value, info in zip(graph.inputs, proto.input, strict=True):
        value.type = _sharper(value.type, tensor_type(info.type))


def _sharper(old: TensorType | None, new: TensorType | None) -> TensorType | None:
    """``new`` where it says more; what it leaves open is kept from ``old`` of the same rank."""
    if new is None or (old is not None and new.shape is None and new.proto is None):
        return old
    if old is None or old.shape is None or new.shape is None or len(old.shape) != len(new.shape):
        return new
    dims = tuple(o if not isinstance(n, int) and o is not None else n for o, n in zip(old.shape, new.shape, strict=True))
    return TensorType(new.dtype, dims)
