"""ONNX file to IR: read, check, inline functions, build, bind shapes, infer types and raise the opset on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from onnx import FunctionProto, ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.bounds import check_values, held_bytes
from edgeopt.frontend.build import build_graph
from edgeopt.frontend.declared import drop_settled
from edgeopt.frontend.functions import inline_functions
from edgeopt.frontend.model_check import check_model
from edgeopt.frontend.model_file import read_model
from edgeopt.frontend.notes import add_note
from edgeopt.frontend.opset import raise_opset
from edgeopt.frontend.settings import bind_inputs
from edgeopt.frontend.shapes import bind_shapes
from edgeopt.frontend.stored import StoredTensor
from edgeopt.frontend.subgraph_check import check_subgraphs
from edgeopt.ir import OWN_DOMAIN, Graph, Value, VerificationError, verify
from edgeopt.memory_limit import default_limit
from edgeopt.ops.proto import ProtoWriter
from edgeopt.ops.trips import check_loops


def load(
    model: str | os.PathLike[str] | ModelProto,
    shapes: Mapping[str, Sequence[int]] | None = None,
    max_memory: int | None = None,
    bind: Mapping[str, ArrayLike] | None = None,
) -> Graph:
    """The Graph of an ONNX model of opset 7 to 28, given by its path or as a ModelProto, which is left untouched.

    ``shapes`` binds inputs with symbolic dimensions, as in ``{"x": (1, 3, 224, 224)}``; a leading dimension that is not bound
    becomes 1. ``bind`` makes inputs constants, as in ``{"sr": 16000}``. Models below opset 13 are raised to 13. All is noted:
    see ``notes``. External data is read when it is needed.
    No value, and nothing that the file unfolds to, may take more than ``max_memory`` bytes (``edgeopt.memory_limit`` says what
    is taken when it is left out). Raises EdgeoptError when the file is not a sound model or a dimension stays open.
    """
    if isinstance(model, ModelProto):
        source, folder = ModelProto(), None
        source.CopyFrom(model)
    else:
        folder = Path(model).parent
        source = read_model(Path(model))
    limit = default_limit(held_bytes(source, folder, shapes or {})) if max_memory is None else max_memory
    check_model(source, folder, limit)
    graph = _convert(source, folder, limit)
    graph.memory_limit = limit
    _check_built(graph)
    bind_inputs(graph, bind or {})
    bind_shapes(graph, shapes or {})
    note = raise_opset(graph)
    if note:
        add_note(graph, note)
    check_values(graph, limit)
    check_loops(graph, limit)
    drop_settled(graph)
    return graph


def _convert(model: ModelProto, folder: Path | None, limit: int) -> Graph:
    """The untyped graph; a function with an own operator's name but another body is inlined, so that its meaning stays."""
    functions = {f.name: f for f in model.functions if f.domain == OWN_DOMAIN}
    original = ModelProto.FromString(model.SerializeToString()) if functions else model
    graph = _convert_once(model, folder, limit, set())
    foreign = _foreign(graph, original, functions)
    return _convert_once(original, folder, limit, foreign) if foreign else graph


def _convert_once(model: ModelProto, folder: Path | None, limit: int, foreign: set[str]) -> Graph:
    inlined = inline_functions(model, foreign)
    if model.functions:
        check_model(inlined, folder, limit)  # attributes that functions handed to their nodes have their values only now
    return build_graph(inlined, folder)


def _foreign(graph: Graph, model: ModelProto, functions: Mapping[str, FunctionProto]) -> set[str]:
    calls = {node.output[0]: node.op_type for node in model.graph.node if node.domain == OWN_DOMAIN and node.output}
    writer, foreign = ProtoWriter(graph.opsets), set()
    for node in graph.nodes:
        called = functions.get(calls.get(node.output.name, "")) if node.domain == OWN_DOMAIN else None
        if called is None:
            continue
        writer.functions.clear()
        try:
            writer.node(node)
        except OverflowError as error:
            raise EdgeoptError(f"{node.op} '{node.name}': a number in its attributes is out of range: {error}") from error
        (ours,) = writer.functions.values()
        if list(ours.node) != list(called.node) or list(ours.input) != list(called.input):
            foreign.add(called.name)
    return foreign


def _check_built(graph: Graph) -> None:
    try:
        verify(graph)
    except VerificationError as error:
        raise EdgeoptError(f"the model is not sound: {error}") from error
    check_subgraphs(graph)
    for inner in graph.walk():
        for value in inner.constants:
            if _has_nan(value):
                add_note(graph, f"constant '{value.name}' holds NaN; outputs that depend on it will be NaN")


def _has_nan(value: Value) -> bool:
    """True for inline floating-point data with a NaN; external data is not read for this."""
    stored = value.load
    if not isinstance(stored, StoredTensor) or not stored.inline or value.type is None:
        return False
    if value.type.dtype not in ("float16", "float32", "float64"):
        return False
    array = stored()
    return array.size > 0 and bool(np.isnan(np.min(array)))
