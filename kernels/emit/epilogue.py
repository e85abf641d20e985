"""Activations as vector functions, composed into the tile that computes their argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeopt.ir import Node
from edgeopt.kernels.call import Declined
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.vector_math import SATURATED, erf, exp, tanh

KINDS = ("", "Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid", "Silu", "Tanh", "Gelu")


@dataclass(frozen=True)
class Activation:
    """The activation named by a node's attributes ``activation``, ``alpha`` and ``beta`` (see ``ops.definition``).

    That of a PReluConv is ``PRelu``, whose slopes are vectors.
    """

    kind: str = ""
    alpha: float = 0.0
    beta: float = 0.0

    @property
    def sloped(self) -> bool:
        """Whether it takes a slope for each channel; they lie behind the biases of their tile."""
        return self.kind == "PRelu"

    def apply(self, e: Emitter, x: Value, slope: Value | None = None) -> Value:
        """The activation of a vector, with the vector ``slope`` where it is ``sloped``. A lane that is not a number stays so."""
        if slope is not None:
            return e.builder.select(e.builder.fcmp_ordered("<", x, e.constant(0.0)), e.mul(x, slope), x)
        return getattr(self, f"_{self.kind.lower() or 'identity'}")(e, x)

    def _identity(self, e: Emitter, x: Value) -> Value:
        return x

    def _relu(self, e: Emitter, x: Value) -> Value:
        return e.maximum(e.constant(0.0), x)

    def _clip(self, e: Emitter, x: Value) -> Value:
        return e.minimum(e.constant(self.beta), e.maximum(e.constant(self.alpha), x))

    def _leakyrelu(self, e: Emitter, x: Value) -> Value:
        negative = e.builder.fcmp_ordered("<", x, e.constant(0.0))
        return e.builder.select(negative, e.mul(x, e.constant(self.alpha)), x)

    def _hardsigmoid(self, e: Emitter, x: Value) -> Value:
        line = e.fma(x, e.constant(self.alpha), e.constant(self.beta))
        return e.minimum(e.constant(1.0), e.maximum(e.constant(0.0), line))

    def _hardswish(self, e: Emitter, x: Value) -> Value:
        return e.mul(x, Activation("HardSigmoid", 1 / 6, 0.5).apply(e, x))

    def _sigmoid(self, e: Emitter, x: Value) -> Value:
        return e.div(e.constant(1.0), e.add(e.constant(1.0), exp(e, e.sub(e.constant(0.0), x))))

    def _silu(self, e: Emitter, x: Value) -> Value:
        return e.mul(x, self._sigmoid(e, x))

    def _tanh(self, e: Emitter, x: Value) -> Value:
        return tanh(e, x)

    def _gelu(self, e: Emitter, x: Value) -> Value:
        half = e.mul(x, e.constant(0.5))
        bent = e.fma(half, erf(e, e.mul(x, e.constant(math.sqrt(0.5)))), half)
        low = e.builder.fcmp_ordered("<", x, e.constant(-SATURATED * math.sqrt(2)))
        return e.builder.select(low, e.constant(0.0), bent)

    def _gelutanh(self, e: Emitter, x: Value) -> Value:
        """x / 2 * (1 + tanh(y)) = x * sigmoid(2 y) with y = sqrt(2 / pi) * (x + 0.044715 x^3)."""
        inner = e.fma(e.mul(e.mul(x, x), e.constant(0.044715)), x, x)
        return e.mul(x, self._sigmoid(e, e.mul(inner, e.constant(2 * math.sqrt(2 / math.pi)))))

    def _erf(self, e: Emitter, x: Value) -> Value:
        return erf(e, x)


_DEFAULTS = {"LeakyRelu": (0.01, 0.0), "HardSigmoid": (0.2, 0.5)}


def activation_of(node: Node) -> Activation:
    """The activation of a fused node; the identity for a node that has none. Raises Declined for an unknown one."""
    if node.is_own("PReluConv"):
        return Activation("PRelu")
    kind = node.text("activation", "")
    if kind not in KINDS:
        raise Declined(f"activation '{kind}'")
    if kind not in ("Clip", "LeakyRelu", "HardSigmoid"):
        return Activation(kind)
    alpha, beta = _DEFAULTS.get(kind, (0.0, 0.0))
    return Activation(kind, node.real("alpha", alpha), node.real("beta", beta))
