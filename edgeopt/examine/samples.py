"""Inputs of a model as files: model-zoo ``test_data_set_N`` folders, and random ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.files import PROTOBUF_LIMIT, read_regular
from edgeopt.ir import Array, TensorType, numpy_dtype


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


def random_inputs(types: Mapping[str, TensorType], samples: int, seed: int) -> list[dict[str, Array]]:
    """``samples`` sets of inputs: standard normal floats, integers of 0 to 9, either truth value; unknown dimensions are 1."""
    rng = np.random.default_rng(seed)
    return [{name: _random(type_, rng) for name, type_ in types.items()} for _ in range(samples)]


def _random(type_: TensorType, rng: np.random.Generator) -> Array:
    dims = [d if isinstance(d, int) else 1 for d in type_.shape or ()]
    dtype = numpy_dtype(type_.dtype)
    if dtype == np.dtype(bool):
        return rng.integers(0, 2, dims).astype(bool)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, 10, dims).astype(dtype)
    return rng.standard_normal(dims).astype(dtype)
