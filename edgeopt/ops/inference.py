"""Types by ONNX shape inference, one node at a time and in order, with the small values that are known by then.

One node at a time, so that a misfit is found at its node, and so that native code never walks a whole graph: its data
propagation allocates a dimension for every element of an integer vector, however long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from onnx import ModelProto, TensorProto, helper, shape_inference

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ops.contracts import misfit as misfit_of
from edgeopt.ops.merge import merge_types, sharper
from edgeopt.ops.propagation import Known, live_branch, note_constant, note_node
from edgeopt.ops.proto import ProtoWriter, captured_values
from edgeopt.ops.tensors import constant_proto, tensor_proto, tensor_type, value_info

Types = list[TensorType | None]
Unfold = Callable[[Node], Sequence[Node]]
# Operators whose older versions ONNX infers wrong, with a newer version that means the same on older attributes: windows that
# would start behind the input do not count when the number of outputs is rounded up.
NEWER = {"AveragePool": 22, "LpPool": 22, "MaxPool": 22}


def infer(node: Node) -> Types:
    """The types of the outputs of ``node`` from the types of its inputs and its small constants; None where unknown."""
    known: Known = {}
    for value in node.inputs:
        if value is not None and value.is_constant:
            note_constant(value, known)
    return _infer_node(node, known)[0]


def infer_types(graph: Graph, strict: bool = False, unfold: Unfold | None = None) -> None:
    """Fill and update the type of every value of ``graph`` and of its subgraphs, from its inputs and constants.

    A value that inference cannot type keeps the type it had. With ``strict`` an operator whose inputs do not fit raises
    EdgeoptError that names it; otherwise its outputs stay as they were. A branch of an If that cannot run at these shapes
    does not count: the If has the type of the other one. ``unfold`` may replace each node, whose inputs are typed by then, and
    returns what stands in its place.
    """
    _type_graph(graph, {}, strict, unfold)


def _type_graph(graph: Graph, known: Known, strict: bool, unfold: Unfold | None) -> str:
    """Type ``graph``; returns what does not fit in it, or ''."""
    for value in graph.constants:
        note_constant(value, known)
    misfits = []
    for node in list(graph.nodes):
        before = len(graph.constants)
        made = unfold(node) if unfold is not None else (node,)
        for value in graph.constants[before:]:
            note_constant(value, known)
        misfits += [_type_node(part, known, strict, unfold) for part in made]
    return next(filter(None, misfits), "")


def _type_node(node: Node, known: Known, strict: bool, unfold: Unfold | None) -> str:
    if node.is_op("If"):
        types, misfit = _type_branches(node, known, unfold)
    else:
        for inner in node.subgraphs if unfold is not None else ():
            _type_graph(inner, known, False, unfold)  # what stands in a body must be known to the inference of its node
        types, misfit = _infer_node(node, known)
        for inner in node.subgraphs:
            _type_graph(inner, known, False, None)
    for out, type_ in zip(node.outputs, types, strict=False):
        out.type = sharper(out.type, type_)
    misfit = misfit or misfit_of(node)
    if misfit and strict and not node.subgraphs:
        raise EdgeoptError(f"the inputs of {node!r} do not fit together: {misfit}; check the model and its shapes")
    if len(node.outputs) == 1 and not node.subgraphs:
        note_node(node, known)
    return misfit


def _type_branches(node: Node, known: Known, unfold: Unfold | None) -> tuple[Types, str]:
    live = live_branch(node, known)
    every = {name: _type_graph(g, known, False, unfold) for name, g in node.attributes.items() if isinstance(g, Graph)}
    misfits = {name: misfit for name, misfit in every.items() if live in ("", name)}
    sound = [g for name, g in node.attributes.items() if isinstance(g, Graph) and misfits.get(name, "none") == ""]
    if not sound:
        return [None] * len(node.outputs), next(iter(misfits.values()), "it has no branches")
    if live:
        _pass_known(node, sound[0], known)
    columns = zip(*([out.type for out in branch.outputs] for branch in sound), strict=False)
    return [merge_types(list(column)) for column in columns], ""


def _pass_known(node: Node, branch: Graph, known: Known) -> None:
    for out, result in zip(node.outputs, branch.outputs, strict=False):
        if id(result) in known:
            known[id(out)] = known[id(result)]


def _infer_node(node: Node, known: Known) -> tuple[Types, str]:
    """The output types of one node (the bodies of Loop and Scan get the types of their inputs), and what does not fit."""
    opsets = dict(node.graph.root.opsets) if node.graph is not None else {"": 21}
    opsets[""] = max(opsets[""], NEWER.get(node.op, 0) if not node.domain else 0)
    writer = ProtoWriter(opsets, data=False, types=False)
    values = _read(node)
    names = {id(v): v.name if node.subgraphs else f"x{i}" for i, v in enumerate(values)}
    proto = writer.node(node)
    proto.name = ""
    proto.ClearField("metadata_props")
    del proto.input[:], proto.output[:]
    proto.input.extend("" if v is None else names[id(v)] for v in node.inputs)
    outputs = [f"~y{i}" if out.name else "" for i, out in enumerate(node.outputs)]
    proto.output.extend(outputs)
    free = [v for v in values if id(v) not in known and not v.is_constant]
    graph = helper.make_graph(
        [proto],
        "node",
        [value_info(names[id(v)], v.type) for v in free],
        [value_info(name, None) for name in outputs if name],
        [tensor_proto(names[id(v)], known[id(v)]) for v in values if id(v) in known]
        + [_bare_constant(v, names[id(v)]) for v in values if v.is_constant and id(v) not in known],
    )
    typed = all(v.type is not None and (v.type.proto is not None or v.type.shape is not None) for v in values)
    result, misfit = _run(writer.model(graph).SerializeToString(deterministic=True), typed)
    _type_bodies(node, result)
    types = {info.name: tensor_type(info.type) for info in result.graph.output}
    return [types.get(name) for name in outputs], misfit


def _bare_constant(value: Value, name: str) -> TensorProto:
    proto = constant_proto(value, data=False)
    proto.name = name
    return proto


def _read(node: Node) -> list[Value]:
    """Everything ``node`` reads, once, including what its subgraphs capture from enclosing graphs."""
    captured = [v for graph in node.subgraphs for v in captured_values(graph)]
    return list({id(v): v for v in [*node.inputs, *captured] if v is not None}.values())


def _type_bodies(node: Node, result: ModelProto) -> None:
    written = {a.name: a.g for a in result.graph.node[0].attribute if a.HasField("g")}
    for name, graph in node.attributes.items():
        if isinstance(graph, Graph):
            for value, info in zip(graph.inputs, written[name].input, strict=True):
                value.type = sharper(value.type, tensor_type(info.type))


@lru_cache(maxsize=4096)
def _run(model: bytes, typed: bool) -> tuple[ModelProto, str]:
    """The model with its types, and what does not fit; equal nodes on inputs of equal types are inferred once."""
    source = ModelProto.FromString(model)
    if not typed:
        return shape_inference.infer_shapes(source), ""
    try:
        return shape_inference.infer_shapes(source, check_type=True, strict_mode=True), ""
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        return source, _reason(error)


def _reason(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")
    return re.sub(r"^.*\((?:op_type|node name)[^)]*\):|\[\w+Error\]", "", first).strip() or type(error).__name__
