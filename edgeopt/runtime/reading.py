"""The weights and the ONNX model of an artifact as a loader makes them of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from onnx import ModelProto, TensorProto, load_model_from_string

from edgeopt.coding.block import entries_of, filled_bytes, read
from edgeopt.errors import EdgeoptError
from edgeopt.lower.memory import ALIGNMENT, aligned
from edgeopt.memory_limit import machine_memory, require
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.referred import tensor_bytes

WEIGHTS, MODEL = "weights.bin", "model.onnx"
RAW, CODED = "raw", "coded"
Files = dict[str, bytes | memoryview]


def decoded(file: bytes | memoryview, manifest: Manifest) -> memoryview:
    """The block of weights that kernels read. Raises EdgeoptError for a file that is damaged or a block beyond this machine."""
    size = manifest["weights_bytes"]
    if -filled_bytes(entries_of(file)) // ALIGNMENT * -ALIGNMENT != size:
        raise EdgeoptError(f"{WEIGHTS} holds other bytes than the manifest says; compile the model again")
    require(size, machine_memory(), "the memory of the weights")
    try:
        weights = aligned(size)
        read(file, weights)
    except (MemoryError, OverflowError, OSError, ValueError) as error:
        raise EdgeoptError(f"the weights need {size:,} bytes of memory, which this machine does not have") from error
    return weights


def whole(file: bytes | memoryview, constants: Iterable[Manifest], coded: bytes | memoryview, weights: memoryview) -> ModelProto:
    """The ONNX model of an artifact with the data of all its tensors, which ``constants`` tell of.

    Raises EdgeoptError when a tensor is not where the manifest says.
    """
    model, known = load_model_from_string(bytes(file)), {about["name"]: about for about in constants}
    require(sum(about["bytes"] for about in known.values()), machine_memory(), "the tensors of the model")
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            _fill(tensor, known, coded, weights)
    return model


def _fill(tensor: TensorProto, known: Mapping[str, Any], coded: bytes | memoryview, weights: memoryview) -> None:
    if tensor.name not in known:
        raise EdgeoptError(f"'{tensor.name}' of {MODEL} is nowhere in the weights; compile the model again")
    tensor.raw_data = tensor_bytes(known[tensor.name], coded, weights)
    tensor.ClearField("external_data")
    tensor.data_location = TensorProto.DEFAULT
