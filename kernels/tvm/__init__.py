"""Kernels as TIR: for the forms that kernel functions state, code that is written from their numbers alone.

TVM is imported by whoever imports this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeopt.kernels.conv.conv_blocked import Direct
from edgeopt.kernels.conv.conv_depthwise import Depthwise
from edgeopt.kernels.gemm.product import Panels
from edgeopt.kernels.integer.quant_dot import Moved
from edgeopt.kernels.move.copy import Copy, Fill
from edgeopt.kernels.move.relayout import Conversion
from edgeopt.kernels.move.relayout_bytes import Border, ByteConversion
from edgeopt.kernels.pointwise.binary import Pair
from edgeopt.kernels.pool.pool_blocked import Pool
from edgeopt.kernels.reduce.layer_normalization_vector import Normalised
from edgeopt.kernels.tvm import binary, conv_blocked, copy, gemm, layer_normalization, relayout, windows
from edgeopt.target import Target

Builder = Callable[[Any, Sequence[Any], Sequence[str], Target], Any]
"""From a form, the constants of the call, the element types of its operands and the target to a PrimFunc, or Declined."""

TABLE: dict[type, Builder] = {
    Copy: copy.copy,
    Fill: copy.fill,
    Moved: copy.moved,
    Direct: conv_blocked.conv_blocked,
    Panels: gemm.gemm,
    Depthwise: windows.depthwise,
    Pool: windows.pool,
    Border: relayout.border,
    Conversion: relayout.conversion,
    ByteConversion: relayout.byte_conversion,
    Normalised: layer_normalization.layer_normalization,
    Pair: binary.binary,
}
