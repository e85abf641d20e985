"""Checks a whole model before native code sees it, and brings it into the one form the import reads.

Initializers that are also listed as inputs (the habit of IR version 3) become constants, sparse initializers dense ones,
``ai.onnx`` the empty domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.function_check import check_functions
from edgeopt.frontend.node_check import NodeChecker, check_sparse, check_type
from edgeopt.frontend.stored import densify
from edgeopt.frontend.structure import order_graph, subgraphs
from edgeopt.frontend.tensor_check import check_tensor

MIN_OPSET = 7
MAX_OPSET = onnx.defs.onnx_opset_version()


def check_model(model: ModelProto, folder: Path | None) -> None:
    """Normalise ``model`` in place. Raises EdgeoptError for the first thing that is wrong with it."""
    if not 1 <= model.ir_version <= onnx.IR_VERSION:
        raise EdgeoptError(
            f"the model has IR version {model.ir_version}, 1 to {onnx.IR_VERSION} are read; it is no ONNX model or a newer one"
        )
    if not model.graph.output:
        raise EdgeoptError(f"graph '{model.graph.name}' has no outputs; there is nothing to compile")
    _rename_default_domain(model)
    opsets = _opsets(model)
    check_functions(model, folder)
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
