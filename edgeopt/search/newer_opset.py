"""A graph at the opset that its forms need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import ModelProto, inliner, version_converter

from edgeopt.errors import EdgeoptError
from edgeopt.forms.registry import techniques
from edgeopt.frontend import export, load
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph

IR_VERSIONS = {11: 6, 21: 10, 25: 13}


def with_opset(graph: Graph, opset: int, form: str) -> Graph:
    """``graph`` raised to ``opset`` where it is older, which is noted. Raises EdgeoptError where it cannot be."""
    if graph.opset >= opset:
        return graph
    try:
        model = version_converter.convert_version(_plain(export(graph)), opset)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise EdgeoptError(f"the quantised form needs opset {opset}, to which the model cannot be raised: {error}") from error
    model.ir_version = max(model.ir_version, IR_VERSIONS[opset])
    raised = load(model)
    add_note(raised, f"opset raised from {graph.opset} to {opset}, which first has the types of {form}")
    return raised


def _plain(model: ModelProto) -> ModelProto:
    """``model`` with operators of its own replaced by what they are made of: the converter drops their functions."""
    return inliner.inline_local_functions(model) if model.functions else model


def raised(graph: Graph, names: Mapping[str, str]) -> Graph:
    """``graph`` at the opset that the forms of the techniques ``names`` need: raised later, operators of ours are taken apart."""
    for more in (True, False):
        keys = {name: [key, *(techniques()[name].finer(key) if more else ())] for name, key in names.items()}
        if can_have(graph, keys):
            newest = max(keys, key=lambda name: techniques()[name].opset(keys[name]))
            return with_opset(graph, techniques()[newest].opset(keys[newest]), keys[newest][-1])
    return graph


def can_have(graph: Graph, keys: Mapping[str, Sequence[str]]) -> bool:
    """True when ``graph`` can be raised to the opset that the forms ``keys`` by technique need."""
    try:
        with_opset(graph, max(techniques()[name].opset(keys[name]) for name in keys), "")
    except EdgeoptError:
        return False
    return True
