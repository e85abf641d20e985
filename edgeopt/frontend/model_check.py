"""Checks a whole model before native code sees it, and brings it into the one form the import reads.

Initializers that are also listed as inputs (the habit of IR version 3) become constants, sparse initializers dense ones,
``ai.onnx`` the empty domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.bounds import check_extent
from edgeopt.frontend.function_check import MAX_DOMAIN_VERSION, check_functions
from edgeopt.frontend.node_check import NodeChecker, check_sparse, check_type
from edgeopt.frontend.stored import densify
from edgeopt.frontend.structure import order_graph, subgraphs
from edgeopt.frontend.tensor_check import check_tensor

MIN_OPSET = 7
MAX_OPSET = onnx.defs.onnx_opset_version()


def check_model(model: ModelProto, folder: Path | None, limit: int) -> None:
    """Normalise ``model`` in place; its constants may unfold to ``limit`` bytes.

    Raises EdgeoptError for the first thing that is wrong with it.
    """
    check_extent(model, limit)
    if not 1 <= model.ir_version <= onnx.IR_VERSION:
        raise EdgeoptError(
            f"the model has IR version {model.ir_version}, 1 to {onnx.IR_VERSION} are read; it is no ONNX model or a newer one"
        )
    _check_texts(model, "model")
    if not model.graph.output:
        raise EdgeoptError(f"graph '{model.graph.name}' has no outputs; there is nothing to compile")
    _rename_default_domain(model)
    opsets = _opsets(model)
    check_functions(model, folder, limit)
    functions = {(f.domain, f.name) for f in model.functions}
    for graph in graphs(model.graph):
        _check_values(graph, folder)
    order_graph(model.graph, NodeChecker(opsets, functions, folder))


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """``graph`` and every graph inside it."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs(inner)


def _check_texts(message: Message, where: str) -> None:
    """Protobuf hands text that is not UTF-8 over as bytes, which no later step expects."""
    for field, value in message.ListFields():
        values = list(value) if field.is_repeated and field.type in (field.TYPE_MESSAGE, field.TYPE_STRING) else [value]
        for item in values:
            if field.type == field.TYPE_MESSAGE:
                _check_texts(item, field.name)
            elif field.type == field.TYPE_STRING and isinstance(item, bytes):
                raise EdgeoptError(f"a text in the {where} of the model is not valid UTF-8 ({item[:40]!r}); the file is damaged")


def _rename_default_domain(model: ModelProto) -> None:
    for owner in [model, *model.functions]:
        for entry in owner.opset_import:
            entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    roots = [model.graph.node, *(f.node for f in model.functions)]
    for nodes in roots:
        for node in nodes:
            _rename_node(node)


def _rename_node(node: onnx.NodeProto) -> None:
    if node.domain == "ai.onnx":
        node.domain = ""
    for graph in subgraphs(node):
        for inner in graph.node:
            _rename_node(inner)


def _opsets(model: ModelProto) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for entry in model.opset_import:
        if not 1 <= entry.version <= MAX_DOMAIN_VERSION:
            raise EdgeoptError(f"the model imports the impossible version {entry.version} of the domain '{entry.domain}'")
        if opsets.setdefault(entry.domain, entry.version) != entry.version:
            raise EdgeoptError(f"the model imports two versions of the domain '{entry.domain}'; one is allowed")
    version = opsets.get("")
    if version is None or not MIN_OPSET <= version <= MAX_OPSET:
        raise EdgeoptError(f"the model uses opset {version}, {MIN_OPSET} to {MAX_OPSET} are read; export it with one of those")
    return opsets


def _check_values(graph: GraphProto, folder: Path | None) -> None:
    for tensor in graph.initializer:
        check_tensor(tensor, folder, f"initializer '{tensor.name}'")
    for sparse in graph.sparse_initializer:
        check_sparse(sparse, f"initializer '{sparse.values.name}'")
        graph.initializer.append(densify(sparse))
    del graph.sparse_initializer[:]
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    if len(inputs) < len(graph.input):
        kept = [onnx.ValueInfoProto.FromString(info.SerializeToString()) for info in inputs]
        del graph.input[:]
        graph.input.extend(kept)
    for info in [*graph.input, *graph.output, *graph.value_info]:
        check_type(info.type, f"value '{info.name}'")
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_value < 0:  # exporters write -1 for an open dimension; native code takes it for a size
                dim.ClearField("dim_value")
