"""The costly operators on many samples at once, for calibration and accuracy runs.

Every function computes what the ONNX operator of its name defines; the tests hold them to ``onnx.reference``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeopt.compiled import compiled
from edgeopt.evaluate.bending import BENDING
from edgeopt.evaluate.fused import fused_conv, fused_gemm, gated_conv, prelu_conv, product
from edgeopt.evaluate.loops import pool, window_of
from edgeopt.evaluate.transposed import conv_transpose
from edgeopt.ir import Array, Node

Batched = Callable[[Node, Sequence[Array | None]], Array | None]


@compiled
def _round_to_grid(x, y, scale, zero, low, high):  # type: ignore[no-untyped-def]
    for i in range(x.size):
        code = np.rint(x[i] / scale) + zero
        code = min(max(code, low), high)
        y[i] = np.float32(code - zero) * scale


def round_to_grid(x: Array, scale: float, zero: int, low: int, high: int) -> Array:
    """DequantizeLinear(QuantizeLinear(x)) with codes in [low, high], per tensor."""
    flat = np.ascontiguousarray(x, np.float32).reshape(-1)
    y = np.empty_like(flat)
    _round_to_grid(flat, y, np.float32(scale), np.float32(zero), np.float32(low), np.float32(high))
    return y.reshape(x.shape)


def conv(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Conv over one to three spatial axes with explicit pads; None for other forms."""
    x, w, bias = (*inputs, None, None)[:3]
    y = product(node, x, w) if x is not None and w is not None else None
    return y if y is None or bias is None else np.add(y, bias.reshape(1, -1, *[1] * (y.ndim - 2)), out=y)


def max_pool(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """MaxPool in float32 over two spatial axes with explicit pads; None for other forms."""
    x, window = inputs[0], window_of(node, node.integers("kernel_shape"))
    plain = window is not None and x is not None and x.dtype == np.float32 and len(node.outputs) == 1
    return pool(x, window, mean=False) if plain and x is not None and window is not None else None


def average_pool(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """AveragePool in float32 over two spatial axes with explicit pads that are not counted; None for other forms."""
    x, window = inputs[0], window_of(node, node.integers("kernel_shape"))
    if window is None or x is None or x.dtype != np.float32:
        return None
    counts_pads = node.integer("count_include_pad", 0) and any(window.begins + window.ends)
    return None if counts_pads else pool(x, window, mean=True)


def global_average_pool(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """GlobalAveragePool."""
    x = inputs[0]
    return None if x is None else np.asarray(x.mean(axis=tuple(range(2, x.ndim)), keepdims=True, dtype=x.dtype))


def concat(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Concat."""
    return np.concatenate([x for x in inputs if x is not None], axis=node.integer("axis", 0))


def matmul(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """MatMul by BLAS."""
    a, b = inputs[0], inputs[1]
    return None if a is None or b is None else np.matmul(a, b)


def add(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Add."""
    a, b = inputs[0], inputs[1]
    return None if a is None or b is None else np.add(a, b)


def mul(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Mul."""
    a, b = inputs[0], inputs[1]
    return None if a is None or b is None else np.multiply(a, b)


def relu(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Relu."""
    return None if inputs[0] is None else np.maximum(inputs[0], inputs[0].dtype.type(0))


def clip(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Clip with bounds given as inputs."""
    x, low, high = (*inputs, None, None)[:3]
    return None if x is None or low is None or high is None else np.clip(x, low, high)


def identity(node: Node, inputs: Sequence[Array | None]) -> Array | None:
    """Identity."""
    return inputs[0]


def _alone(name: str) -> Batched:
    """The activation ``name`` of float32."""

    def bent(node: Node, inputs: Sequence[Array | None]) -> Array | None:
        x = inputs[0]
        return None if x is None or x.dtype != np.float32 else BENDING[name](x, node)

    return bent


BATCHED: dict[str, Batched] = {
    **{name: _alone(name) for name in ("HardSigmoid", "HardSwish", "LeakyRelu", "Sigmoid", "Tanh")},
    "Add": add,
    "AveragePool": average_pool,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": global_average_pool,
    "Identity": identity,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": mul,
    "Relu": relu,
}

# Own operators, which otherwise run by their body.
BATCHED_OWN: dict[str, Batched] = {
    **{name: _alone(name) for name in ("Gelu", "HardSwish", "Silu")},
    "FusedConv": fused_conv,
    "FusedGemm": fused_gemm,
    "GatedConv": gated_conv,
    "PReluConv": prelu_conv,
}
