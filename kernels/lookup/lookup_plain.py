"""LookupConv and LookupGemm of any shape on any target, by the plain integer products of the weights that the codes stand for.

Nothing is read from tables, so nothing is lost in them. For groups that are no whole blocks, and targets that look up no bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site, Tensor
from edgeopt.kernels.integer.quant_operands import BIAS, WEIGHT, X, per_tensor
from edgeopt.kernels.integer.quant_product_plain import CONV, GEMM
from edgeopt.kernels.lookup.codewords import CODEBOOKS, CODES, SCALE
from edgeopt.kernels.stand_in import constant


def decoded(site: Site, channels: int) -> Array:
    """The sums of codewords that are the weight, in int16: [M, channels of a group, kernel...]."""
    codes, books = site.constant(CODES).astype(np.int64), site.constant(CODEBOOKS).astype(np.int16)
    count, outputs, spaces = codes.shape[:3]
    groups, taps = books.shape[1] // spaces, codes.shape[3:]
    apart = codes.reshape(count, groups, outputs // groups, spaces, -1)
    of, at, space = np.ogrid[:count, :groups, :spaces]
    table = books.reshape(count, groups, spaces, *books.shape[2:])
    found = table[of[..., None, None], at[..., None, None], space[..., None, None], apart.transpose(0, 1, 3, 2, 4)].sum(axis=0)
    whole = found.transpose(0, 2, 1, 4, 3).reshape(outputs, -1, *taps)  # [group, output, space, component, tap]
    made: Array = whole[:, :channels].astype(np.int16)
    return made


def _dense(site: Site, weight: Array) -> Site:
    """The site as one of an integer product with ``weight``."""
    scale = site.constant(SCALE)
    inputs: list[Tensor | None] = [*site.inputs, None, None][: max(len(site.inputs), BIAS + 1)]
    inputs[WEIGHT : BIAS + 1] = [constant(weight), constant(scale), None, _bias(site, scale)]
    return replace(site, inputs=tuple(inputs))


def _bias(site: Site, scale: Array) -> Tensor | None:
    if site.optional(BIAS) is None:
        return None
    unit = np.broadcast_to(per_tensor(site, X + 1)[0] * scale.astype(np.float64).reshape(-1), site.constant(BIAS).shape)
    codes = np.rint(np.divide(site.constant(BIAS), unit, out=np.zeros(unit.shape), where=unit > 0))
    if np.abs(codes).max(initial=0) >= 2**31:
        raise Declined("its bias does not fit 32 bits on the grid of the sums")
    return constant(codes.astype(np.int32))


def _select_conv(site: Site) -> tuple[KernelCall, ...]:
    return CONV.select(_dense(site, decoded(site, site.given(X).shape[1] // site.node.integer("group", 1))))


def _select_gemm(site: Site) -> tuple[KernelCall, ...]:
    return GEMM.select(_dense(site, np.ascontiguousarray(decoded(site, site.given(X).shape[-1]).T)))


KERNELS = (
    Kernel("lookup_conv_plain", ("LookupConv",), _select_conv, by_definition=True),
    Kernel("lookup_gemm_plain", ("LookupGemm",), _select_gemm, by_definition=True),
)
