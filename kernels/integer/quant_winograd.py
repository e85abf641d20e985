"""Integer 3x3 convolution of stride one by Winograd's F(2,3): 2.25 times fewer multiplications, the same sums to the bit.

For targets that multiply words (vpmaddwd), which have room for what the transforms make: in integers

    4 Y = A^T ((2 G) g (2 G)^T * (B^T d B)) A

holds exactly, sums of four codes fit 16 bits and so do the transformed weights. These are made anew by each run, from the
codes, which take a quarter of their memory. The last tiles of a row and column are moved back to end with them.
Declined where the direct form is estimated to take as few instructions.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Origin, Output, Packed, Prepared, Site, Temporary
from edgeopt.kernels.integer.quant_conv import halo
from edgeopt.kernels.integer.quant_dot import arranged, dot_form
from edgeopt.kernels.integer.quant_operands import (
    RESIDUAL,
    WEIGHT,
    centred,
    ending,
    require_bytes,
    require_result,
    seen_zero,
    x_zero,
)
from edgeopt.kernels.integer.quant_walk import panel_of
from edgeopt.kernels.integer.quant_winograd_phases import (
    TAPS,
    Plan,
    direct_slots,
    in_blocks,
    make_plan,
    slots,
    weight_phase,
)
from edgeopt.kernels.integer.requantize import parameters
from edgeopt.kernels.walk.plane_window import plane_window
from edgeopt.target import Target

MOST_CHANNELS = 1800  # of inputs, beyond which four times a sum may not fit 32 bits
GAIN = 0.9  # of the instructions of the direct form, below which this one is believed to be faster; chosen by hand


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantConv node. Raises Declined for other windows, layouts, types and targets, and for little gain."""
    return prepare(site).calls()


def prepare(site: Site) -> Prepared:
    """The product of a QuantConv node, behind the call that transforms its weights. Raises Declined as ``select``."""
    plan, x, y, target, residual = _plan(site), site.given(0), site.outputs[0], site.target, site.optional(RESIDUAL)
    weight = centred(site, 0)
    how, numbers = ending(site, weight, 0, seen_zero(site))
    pack = partial(_packed, target=target, plan=plan)
    codes = Packed(pack(weight), Origin(site.constant(WEIGHT), pack))
    transformed = Temporary("transformed", plan.positions * plan.weights_stride, dtype="int8")
    firsts = [v * target.lanes for v in range(plan.outputs)]
    operands: dict[str, Operand] = {
        "x": Input(0),
        "weights": transformed,
        "numbers": Packed(parameters(numbers, firsts, target.lanes)),
        "residual": Input(RESIDUAL) if residual is not None else Output(),
        "y": Output(),
        "v": Temporary("v", plan.positions * plan.inputs_stride, per_thread=True, dtype="int16"),
        "m": Temporary("m", plan.positions * plan.outputs_stride, per_thread=True, dtype="int32"),
    }
    before = KernelCall(weight_phase(target, plan), (codes, transformed), (), plan.groups)
    function = in_blocks(target, plan, x, y, residual, how)
    return Prepared(function, operands, x.shape[0] * plan.blocks * plan.shares, before=(before,), form=plan)


def _plan(site: Site) -> Plan:
    """How the convolution of ``site`` is cut. Raises Declined where this form does not apply or does not pay."""
    x, y, residual, target = site.given(0), site.outputs[0], site.optional(RESIDUAL), site.target
    if dot_form(target) != "words" or target.small:
        raise Declined("the target multiplies bytes, or little code and memory are wanted")
    require_bytes(x)
    require_result(y)
    block = x.layout.block
    if not block or y.layout.block != block or (residual is not None and residual.layout.block != block):
        raise Declined("its operands do not lie blocked")
    shape = site.constant(WEIGHT).shape
    window = plane_window(site.node, shape[2:])
    if window.kernel != (3, 3) or window.strides != (1, 1) or window.dilations != (1, 1) or shape[1] != x.shape[1]:
        raise Declined("it is not 3x3 of stride one in a single group")
    if min(y.shape[2:]) < 2 or x.shape[1] > MOST_CHANNELS:
        raise Declined("its maps are too small, or its sums may not fit 32 bits")
    if any(window.halo) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    plan = make_plan(target, x, y, window.halo)
    if slots(target, plan) > GAIN * direct_slots(target, plan):
        raise Declined("the direct form is estimated to be as fast")
    return plan


def _packed(weight: Array, target: Target, plan: Plan) -> Array:
    """Codes [O, I, 3, 3] as ``[panel][k / 4][tap]``, then as a tile reads four inputs of a panel's outputs."""
    full = np.zeros((weight.shape[0], plan.depth, TAPS), weight.dtype)
    full[:, : weight.shape[1]] = weight.reshape(*weight.shape[:2], TAPS)
    words = full.reshape(weight.shape[0], plan.depth // 4, 4, TAPS)
    count = plan.tiling.vectors * target.lanes
    panels = [
        [
            arranged(target, panel_of(words[..., tap], first * target.lanes, count)).reshape(plan.depth // 4, -1)
            for tap in range(TAPS)
        ]
        for first in plan.firsts
    ]
    return np.ascontiguousarray(np.array(panels).transpose(0, 2, 1, 3))


KERNEL = Kernel("quant_winograd", ("QuantConv",), select, layout="blocked", hot=True, halo=halo, fill=x_zero, level=2)
