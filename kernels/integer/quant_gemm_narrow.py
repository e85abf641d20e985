"""QuantGemm with fewer columns than a register has lanes: tiles of a product with empty columns, then those that exist."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from edgeopt.ir import Array, TensorType
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Output, Packed, Site, Temporary, Tensor
from edgeopt.kernels.integer import quant_gemm
from edgeopt.kernels.integer.quant_operands import BIAS, RESIDUAL, WEIGHT

SCALE, ZERO = WEIGHT + 1, WEIGHT + 2
CRUMB = 256  # rows of a chunk of copies; chosen by hand


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantGemm. Raises Declined for as many columns as a register holds, and with a residual."""
    columns, lanes, y = site.constant(WEIGHT).shape[1], site.target.lanes, site.outputs[0]
    if columns >= lanes or site.optional(RESIDUAL) is not None:
        raise Declined("its columns fill a register, or it adds a residual")
    inputs = list(site.inputs)
    for index, value in ((WEIGHT, 0), (SCALE, 1), (ZERO, 0), (BIAS, 0)):
        tensor = site.optional(index)
        if tensor is not None and tensor.elements > 1:
            inputs[index] = _padded(tensor, site.constant(index), lanes, value)
    wide = Tensor(TensorType(y.type.dtype, (*y.shape[:-1], lanes)))
    prepared = quant_gemm.prepare(replace(site, inputs=tuple(inputs), outputs=(wide,)))
    memory, rows = Temporary("wide", wide.elements, dtype=y.type.dtype), prod(y.shape[:-1])
    copy = KernelCall(_narrow, (memory, Output()), (columns, lanes, rows, CRUMB), -(-rows // CRUMB))
    weights = Packed(prepared.packed("weights"))  # the padded matrix is no constant of the model that could be its origin
    return (*prepared.before, prepared.call(weights=weights, y=memory, residual=memory), copy)


def _padded(tensor: Tensor, array: Array, lanes: int, value: int) -> Tensor:
    """A constant whose last axis is filled up to ``lanes`` with ``value``."""
    missing = [(0, 0)] * (array.ndim - 1) + [(0, lanes - array.shape[-1])]
    full = np.pad(array, missing, constant_values=value).astype(array.dtype)
    return Tensor(TensorType(tensor.type.dtype, full.shape), array=full)


def _narrow(x: Any, y: Any, begin: Any, end: Any, columns: Any, lanes: Any, rows: Any, run: Any) -> None:
    for row in range(begin * run, min(end * run, rows)):
        for column in range(columns):
            y[row * columns + column] = x[row * lanes + column]


KERNEL = Kernel("quant_gemm_narrow", ("QuantGemm",), select)
