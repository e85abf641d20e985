"""The files of an artifact that hold data: the weights and the ONNX model, in the form that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnx import ModelProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export
from edgeopt.frontend.tensor_check import element_bits
from edgeopt.ir import Array, Graph, Value, numpy_dtype, onnx_code
from edgeopt.lower.program import Program
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.reading import CODED, MODEL, RAW, WEIGHTS, Files
from edgeopt.runtime.storage import store

# Where the tensors of model.onnx lie that are coded for kernels: no file has this name, so that another runtime, which would take
# the coded bytes for numbers, refuses the model and says why.
PACKED = f"{WEIGHTS} packed by edgeopt"


@dataclass(frozen=True)
class FileForm:
    """``coded``: weights are entropy-coded and each is stored once; else they lie as the kernels read them, to be run from flash.

    ``onnx``: the optimised model as ONNX lies beside them.
    """

    coded: bool = True
    onnx: bool = True

    def check(self, program: Program) -> None:
        """Raise EdgeoptError when ``program`` cannot run without its ONNX model and that is left out."""
        if not self.onnx and program.fallbacks:
            nodes = ", ".join(repr(step.node) for step in program.fallbacks[:5])
            raise EdgeoptError(f"{nodes} run on the host, which takes them from {MODEL}; compile without --no-onnx")


SMALLEST = FileForm()


def store_files(program: Program, graph: Graph, form: FileForm, manifest: Manifest) -> Files:
    """``weights.bin``, and ``model.onnx`` where it is wanted; ``manifest`` is told how they lie."""
    if not form.coded:
        model = export(graph) if form.onnx else None
        tensors = [_plain(chunk.node, chunk.size, chunk.width) for chunk in program.chunks]
        manifest["storage"] = {"coding": RAW, "tensors": tensors, "constants": []}
        return {WEIGHTS: program.weights, **_file(model)}
    stored = store(program, _referable(graph) if form.onnx else [])
    manifest["storage"] = {"coding": CODED, "tensors": stored.tensors, "constants": stored.constants}
    referred = {constant["name"] for constant in stored.constants}
    return {WEIGHTS: stored.file, **_file(export(graph, elsewhere=dict.fromkeys(referred, PACKED)) if form.onnx else None)}


def _file(model: ModelProto | None) -> Files:
    return {} if model is None else {MODEL: model.SerializeToString()}


def _plain(node: str, size: int, width: int) -> dict[str, Any]:
    about = {"elements": size // width, "bytes": size, "stored": size, "loaded": size, "coding": RAW}
    return {"name": f"packed for {node}", **about}


def _referable(graph: Graph) -> list[Value]:
    """The constants that lie in a model as they lie in memory: not those of subgraphs, of texts, or packed by twos."""
    return [value for value in graph.constants if value.type is not None and _lies_raw(value.type.dtype, value.array)]


def _lies_raw(dtype: str, array: Array) -> bool:
    return array.dtype == numpy_dtype(dtype) and element_bits(onnx_code(dtype)) == 8 * array.itemsize
