"""Types by ONNX shape inference: of one node, and of a whole graph. Own operators are typed through their bodies."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, helper, shape_inference

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ops.branches import settle_branches
from edgeopt.ops.propagation import Known, known_values
from edgeopt.ops.proto import ProtoWriter, captured_values, live_branch
from edgeopt.ops.tensors import constant_proto, tensor_type, value_info

Types = dict[str, TensorType]
# A branch that is never taken may be ill-typed, so a misfit inside one condemns no model.
CONTROL_FLOW = ("If", "Loop", "Scan")
MAX_ROUNDS = 20  # each round may find a shape that the next one computes with


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
    captured = [v for graph in node.subgraphs for v in captured_values(graph)]
    return {v.name: v for v in [*node.inputs, *captured] if v is not None}


def infer_types(graph: Graph, strict: bool = False) -> None:
    """Fill and update the type of every value of ``graph`` and of its subgraphs, from its inputs and constants.

    A value that inference cannot type keeps the type it had. With ``strict`` an operator whose inputs do not fit raises
    EdgeoptError that names it; otherwise its outputs stay as they were.
    """
    known: Known = {}
    for _ in range(MAX_ROUNDS):
        _infer_once(graph, known)
        before, known = len(known), {} if _all_static(graph) else known_values(graph)
        if len(known) <= before and not settle_branches(graph, known):
            break
    if strict and not _all_static(graph):
        _infer_once(graph, known, strict)


def _infer_once(graph: Graph, known: Known, strict: bool = False) -> None:
    writer = ProtoWriter(dict(graph.opsets), data=False, types=False, known=known)
    _assign(graph, _run(writer.graph(graph), writer, strict).graph, known)


def _all_static(graph: Graph) -> bool:
    values = (v for inner in graph.walk() for node in inner.nodes for v in node.outputs if v.name)
    return all(v.type is not None and (v.type.static or v.type.proto is not None) for v in values)


def _run(graph: GraphProto, writer: ProtoWriter, strict: bool = False) -> ModelProto:
    model = writer.model(graph)
    try:
        return shape_inference.infer_shapes(model, check_type=strict, strict_mode=strict, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).replace("[ShapeInferenceError] ", "").splitlines()[0].split())
        if strict and any(f"(op_type:{op}," in reason for op in CONTROL_FLOW):
            return model
        what = f"the shapes of graph '{graph.name}' do not fit together: {reason}; check the model and its shapes"
        raise EdgeoptError(what) from error


def _graph_types(graph: GraphProto) -> Types:
    found = ((info.name, tensor_type(info.type)) for info in [*graph.value_info, *graph.output])
    return {name: type_ for name, type_ in found if type_ is not None}


def _assign(graph: Graph, proto: GraphProto, known: Known) -> None:
    types = _graph_types(proto)
    for node, written in zip(graph.nodes, proto.node, strict=False):
        for value in node.outputs:
            value.type = _sharper(value.type, types.get(value.name))
        inner = {a.name: a.g for a in written.attribute if a.HasField("g")}
        live = live_branch(node, known)
        for name, attribute in node.attributes.items():
            if isinstance(attribute, Graph) and live in ("", name):
                _assign_inputs(attribute, inner[name])
                _assign(attribute, inner[name], known)


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
