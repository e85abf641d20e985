"""Inputs of a model as files: model-zoo ``test_data_set_N`` folders, and random ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.index_limit import index_limit
from edgeopt.files import PROTOBUF_LIMIT, read_regular
from edgeopt.ir import Array, Graph, TensorType, numpy_dtype
from edgeopt.runtime.model import CompiledModel

INTEGERS = 10  # more than the largest of random integers


def read_test_data(folder: Path, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and expected outputs of a ``test_data_set_N`` folder (``input_K.pb``, ``output_K.pb``, K in the model's order)."""
    return _read_protos(folder, "input", inputs), _read_protos(folder, "output", outputs)


def _read_protos(folder: Path, stem: str, names: Sequence[str]) -> dict[str, Array]:
    files = sorted(folder.glob(f"{stem}_*.pb"), key=lambda path: int(re.sub(r"\D", "", path.stem) or 0))
    if len(files) > len(names) or (stem == "input" and len(files) < len(names)):
        raise EdgeoptError(f"'{folder}' has {len(files)} files {stem}_K.pb, the model has {len(names)} {stem}s")
    return {name: _read_proto(path) for name, path in zip(names, files, strict=False)}


def _read_proto(path: Path) -> Array:
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(read_regular(path, PROTOBUF_LIMIT))
        return np.asarray(numpy_helper.to_array(tensor))
    except EdgeoptError:
        raise
    except Exception as error:
        raise EdgeoptError(f"cannot read '{path}' as a tensor: {error}") from error


def random_inputs(types: Mapping[str, TensorType], samples: int, seed: int, limits: Mapping[str, int]) -> list[dict[str, Array]]:
    """``samples`` sets of inputs: standard normal floats, either truth value, integers from 0 to 9 or below their ``limits``.

    Unknown dimensions are 1.
    """
    rng = np.random.default_rng(seed)
    return [{name: _random(type_, rng, limits.get(name, INTEGERS)) for name, type_ in types.items()} for _ in range(samples)]


def index_limits(model: CompiledModel) -> dict[str, int]:
    """Below which integers select something of the tables they index, by input; nothing of a model without its ONNX form."""
    if all(port["dtype"].startswith("float") for port in model.manifest["inputs"]):
        return {}
    try:
        return limits_of(model.graph)
    except EdgeoptError:
        return {}


def limits_of(graph: Graph) -> dict[str, int]:
    """``index_limits`` of a graph."""
    return {value.name: index_limit(value, INTEGERS) for value in graph.inputs}


def _random(type_: TensorType, rng: np.random.Generator, limit: int) -> Array:
    dims = [d if isinstance(d, int) else 1 for d in type_.shape or ()]
    dtype = numpy_dtype(type_.dtype)
    if dtype == np.dtype(bool):
        return rng.integers(0, 2, dims).astype(bool)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, limit, dims).astype(dtype)
    return rng.standard_normal(dims).astype(dtype)
