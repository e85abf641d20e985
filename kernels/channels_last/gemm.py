"""QuantGemm on microcontrollers: each row of x is a pixel."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site
from edgeopt.kernels.channels_last.columns import Columns
from edgeopt.kernels.channels_last.conv import product_call
from edgeopt.kernels.channels_last.products import form_of
from edgeopt.kernels.integer.quant_operands import centred, per_tensor, require_bytes
from edgeopt.kernels.walk.plane_window import PlaneWindow

POINT = PlaneWindow((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (0, 0, 0, 0))


def select(site: Site) -> tuple[KernelCall, ...]:
    """The call for a QuantGemm. Raises Declined for other targets and types."""
    if not site.target.channels_last:
        raise Declined("its target has kernels for matrices in vectors")
    x, y, weight = site.given(0), site.outputs[0], centred(site, 1)
    require_bytes(x, *([] if y.type.dtype == "float32" else [y]))
    rows, zero = prod(y.shape[:-1]), per_tensor(site, 1)[1]
    columns = Columns(form_of(site.target), POINT, 1, rows, weight.shape[0], x.type.dtype == "int8", zero)
    padded = np.zeros((weight.shape[1], columns.depth), weight.dtype)
    padded[:, : weight.shape[0]] = weight.T
    return (product_call(site, columns, padded, (1, rows), 1),)


KERNEL = Kernel("gemm_last", ("QuantGemm",), select, last="only")
