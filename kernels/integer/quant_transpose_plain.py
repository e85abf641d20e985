"""QuantConvTranspose of any shape by its meaning: x made real in scratch memory, the float kernel by definition, quantised.

The weight and the bias are made real at compile time.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import TensorType
from edgeopt.kernels.call import Kernel, KernelCall, Operand, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.emit.elements import static
from edgeopt.kernels.integer.quant_operands import BIAS, RESULT, WEIGHT, grid
from edgeopt.kernels.integer.quant_plain import compute, quantized, real_input


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantConvTranspose."""
    y = site.outputs[0]
    static(*site.inputs, y)
    x, memory, calls = real_input(site, 0, None)
    tensors: list[Tensor | None] = [x, *_constants(site)]
    operands: list[Operand] = [memory, *(Packed(t.array) for t in tensors[1:] if t is not None and t.array is not None)]
    whole = Tensor(TensorType("float32", y.shape))
    made: Operand = Output(0) if _ends_real(site) else Temporary("result", whole.elements)
    calls += compute("ConvTranspose", site, tuple(tensors), whole, (*operands, made))
    return (*calls, *quantized(site, whole, made, RESULT, None))


def _ends_real(site: Site) -> bool:
    return site.optional(RESULT) is None and not site.node.text("activation", "")


def _constants(site: Site) -> list[Tensor]:
    """The weight and, where there is one, the bias, in float."""
    w, outputs = grid(site, WEIGHT + 1), site.outputs[0].shape[1]
    along = (1, -1, *[1] * (len(site.outputs[0].shape) - 2))
    weight = (site.constant(WEIGHT).astype(np.float64) - w.zero.reshape(along)) * w.scale.reshape(along)
    arrays = [weight.astype(np.float32)]
    if site.optional(BIAS) is not None:
        scale = grid(site, 1).scale * np.tile(w.scale, outputs // w.scale.size)
        arrays.append((site.constant(BIAS) * scale).astype(np.float32))
    return [Tensor(TensorType("float32", a.shape), array=a) for a in arrays]


KERNEL = Kernel("quant_transpose_plain", ("QuantConvTranspose",), select, by_definition=True)
