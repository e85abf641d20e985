"""Sparse operators by the dense kernels, on the weight filled in: for shapes and layouts that the sparse kernels do not walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Packed, Select, Site
from edgeopt.kernels.conv import conv_blocked, conv_depthwise, conv_direct
from edgeopt.kernels.gemm import gemm, gemv, matmul_plain
from edgeopt.kernels.integer import (
    quant_conv,
    quant_depthwise,
    quant_depthwise_wide,
    quant_gemm,
    quant_product_plain,
    quant_split,
)
from edgeopt.kernels.integer.quant_operands import x_zero
from edgeopt.kernels.sparse.dense_site import DENSE, dense_site, halo
from edgeopt.kernels.stand_in import first_accepted


def _filled(kernels: Sequence[Kernel]) -> Select:
    def select(site: Site) -> tuple[KernelCall, ...]:
        """The calls of the first of the kernels that serves the dense operator. Raises Declined when none does."""
        dense, data = dense_site(site), DENSE[site.node.op][1]
        serving = [kernel.select for kernel in kernels if dense.node.op in kernel.ops]
        places: dict[Operand, Operand] = {Input(data): Packed(dense.constant(data))}
        calls = first_accepted(serving, dense)
        return tuple(replace(call, operands=tuple(places.get(o, o) for o in call.operands)) for call in calls)

    return select


_QUANT = (quant_depthwise.KERNEL, quant_depthwise_wide.KERNEL, quant_conv.KERNEL, *quant_split.KERNELS)
_FLOAT = (conv_depthwise.KERNEL, conv_blocked.KERNEL)
_PRODUCTS = (gemv.KERNEL, gemm.KERNEL, quant_gemm.KERNEL)
_PLAIN = (conv_direct.KERNEL, *matmul_plain.KERNELS, *quant_product_plain.KERNELS)

KERNELS = (
    Kernel("filled_quant_conv", ("SparseQuantConv",), _filled(_QUANT), layout="blocked", hot=True, halo=halo, fill=x_zero),
    Kernel("filled_conv", ("SparseConv",), _filled(_FLOAT), layout="blocked", hot=True, halo=halo),
    Kernel("filled_gemm", ("SparseGemm", "SparseQuantGemm"), _filled(_PRODUCTS)),
    Kernel("filled_plain", tuple(DENSE), _filled(_PLAIN), by_definition=True),
)
