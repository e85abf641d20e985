"""Checks model-local functions: sound bodies, no recursion, no explosion when inlined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.node_check import NodeChecker
from edgeopt.frontend.structure import order_graph, subgraphs

MAX_INLINED_NODES = 1_000_000
MAX_DEPTH = 100
MAX_DOMAIN_VERSION = 2**31 - 1
Key = tuple[str, str]


def check_functions(model: ModelProto, folder: Path | None) -> None:
    """Raise EdgeoptError when a function of ``model`` is defined twice, is not sound, or calls itself."""
    functions: dict[Key, FunctionProto] = {}
    for function in model.functions:
        key = (function.domain, function.name)
        if key in functions:
            raise EdgeoptError(f"the function '{function.name}' of the domain '{function.domain}' is defined twice")
        functions[key] = function
    shared = {entry.domain: entry.version for entry in model.opset_import}
    for function in functions.values():
        _check_body(function, set(functions), shared, folder)
    _check_size(model.graph.node, functions)


def _check_body(function: FunctionProto, known: set[Key], shared: Mapping[str, int], folder: Path | None) -> None:
    opsets = {entry.domain: entry.version for entry in function.opset_import} or dict(shared)
    if any(not 1 <= version <= MAX_DOMAIN_VERSION for version in opsets.values()):
        raise EdgeoptError(f"the function '{function.name}' imports an impossible opset version")
    body = GraphProto(name=function.name, node=function.node)
    body.input.extend(ValueInfoProto(name=name) for name in function.input)
    body.output.extend(ValueInfoProto(name=name) for name in function.output)
    order_graph(body, NodeChecker(opsets, known, folder, references=True))
    del function.node[:]
    function.node.extend(body.node)


def _check_size(nodes: Iterable[NodeProto], functions: Mapping[Key, FunctionProto]) -> None:
    sizes: dict[Key, int] = {}
    active: set[Key] = set()

    def size_of(node: NodeProto) -> int:
        inner = sum(size_of(n) for graph in subgraphs(node) for n in graph.node)
        key = (node.domain, node.op_type)
        return 1 + inner + (function_size(key) if key in functions else 0)

    def function_size(key: Key) -> int:
        if key in active:
            raise EdgeoptError(f"the function '{key[1]}' of the domain '{key[0]}' calls itself; a model must be acyclic")
        if len(active) > MAX_DEPTH:
            raise EdgeoptError(f"the functions of the model call each other more than {MAX_DEPTH} deep; inline them first")
        if key not in sizes:
            active.add(key)
            sizes[key] = sum(size_of(n) for n in functions[key].node)
            active.remove(key)
        return sizes[key]

    total = sum(size_of(node) for node in nodes)
    if total > MAX_INLINED_NODES:
        raise EdgeoptError(f"the functions of the model unfold to {total} nodes, more than {MAX_INLINED_NODES}")
