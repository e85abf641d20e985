"""What runtimes and accelerators ask of a quantised ONNX file, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeopt.errors import EdgeoptError
from edgeopt.ops.grid import QuantizationScheme


@dataclass(frozen=True)
class Profile:
    """How values are rounded for one kind of runtime.

    ``signed``: activations are int8 instead of uint8; ``symmetric``: their zero point is 0; ``per_channel``: each output channel
    of a weight has its own scale; ``everything``: every value of the graph is rounded, inputs and outputs too, so that the
    network is one static integer graph between its first and its last rounding.
    """

    name: str
    reader: str
    signed: bool = False
    symmetric: bool = False
    per_channel: bool = True
    everything: bool = False

    def adapt(self, scheme: QuantizationScheme) -> QuantizationScheme:
        """``scheme`` with the types and grids of this profile."""
        made = scheme.signed(self.symmetric) if self.signed else scheme
        return replace(made, per_channel=made.per_channel and self.per_channel)


PROFILES = {
    p.name: p
    for p in (
        Profile("x86", "onnxruntime and OpenVINO on x86"),
        Profile("arm", "onnxruntime on Arm", signed=True),
        Profile("npu-per-tensor", "accelerators without float", signed=True, symmetric=True, per_channel=False, everything=True),
    )
}


def profile(name: str) -> Profile:
    """The profile called ``name``. Raises EdgeoptError for unknown names."""
    if name not in PROFILES:
        raise EdgeoptError(f"unknown profile '{name}'; known are {', '.join(PROFILES)}")
    return PROFILES[name]
