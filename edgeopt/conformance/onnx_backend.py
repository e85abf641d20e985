"""The compiler as a backend of ``onnx.backend``: each model is compiled at -O1 and run natively, with fallbacks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from edgeopt.compiler import compile
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel


class EdgeoptRep(BackendRep):
    """A compiled model behind the interface of ``onnx.backend``."""

    def __init__(self, compiled: CompiledModel) -> None:
        self.compiled = compiled

    def run(self, inputs: Sequence[Array], **options: Any) -> tuple[Any, ...]:
        """Outputs in the order of the model for ``inputs`` in the order of the model."""
        names = [i["name"] for i in self.compiled.manifest["inputs"]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            outputs = self.compiled.run(dict(zip(names, map(_array, inputs), strict=True)))
        return tuple(outputs[o["name"]] for o in self.compiled.manifest["outputs"])


def _array(value: Any) -> Any:
    """Element types that numpy lacks come as TensorProto."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


class EdgeoptBackend(Backend):
    """Compiles models for the host."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", level: int = 1, **options: Any) -> EdgeoptRep:
        """Compile ``model``. Raises EdgeoptError when it cannot be compiled."""
        return EdgeoptRep(compile(model, level=level))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU."""
        return bool(Device(device).type == DeviceType.CPU)
