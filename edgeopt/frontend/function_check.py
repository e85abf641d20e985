"""Checks model-local functions: sound bodies, no recursion, no explosion when inlined."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from onnx import FunctionProto, GraphProto, ModelProto, ValueInfoProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.node_check import NodeChecker
from edgeopt.frontend.structure import order_graph
from edgeopt.frontend.unfolding import Key, check_unfolded

MAX_DOMAIN_VERSION = 2**31 - 1


def check_functions(model: ModelProto, folder: Path | None, limit: int) -> None:
    """Raise EdgeoptError when a function of ``model`` is defined twice, not sound, calls itself, or unfolds beyond the bounds."""
    functions: dict[Key, FunctionProto] = {}
    for function in model.functions:
        key = (function.domain, function.name)
        if key in functions:
            raise EdgeoptError(f"the function '{function.name}' of the domain '{function.domain}' is defined twice")
        functions[key] = function
    shared = {entry.domain: entry.version for entry in model.opset_import}
    for function in functions.values():
        _check_body(function, set(functions), shared, folder)
    check_unfolded(model.graph, functions, limit)


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
