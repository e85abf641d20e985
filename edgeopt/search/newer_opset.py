"""A graph at the opset that its forms need."""

from __future__ import annotations

import onnx
from onnx import version_converter

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph

IR_VERSIONS = {11: 6, 21: 10, 25: 13}


def with_opset(graph: Graph, opset: int, form: str) -> Graph:
    """``graph`` raised to ``opset`` where it is older, which is noted. Raises EdgeoptError where it cannot be."""
    if graph.opset >= opset:
        return graph
    try:
        model = version_converter.convert_version(export(graph), opset)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise EdgeoptError(f"the quantised form needs opset {opset}, to which the model cannot be raised: {error}") from error
    model.ir_version = max(model.ir_version, IR_VERSIONS[opset])
    raised = load(model)
    add_note(raised, f"opset raised from {graph.opset} to {opset}, which first has the types of {form}")
    return raised
