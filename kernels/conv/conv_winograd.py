"""3x3 convolution of stride one by Winograd's F(4,3) or F(2,3): 4 or 2.25 times fewer multiplications than the direct form.

Blocks of tiles are transformed, multiplied and transformed back while they lie in the second cache; a block is a chunk. When
a map has too few tiles for several blocks, the three phases are calls of their own, shared among threads by channels.
Declined when the measured error exceeds ``LARGEST_ERROR`` or the direct form is estimated to be as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeopt.coding.block import Transform
from edgeopt.ir import Array
from edgeopt.kernels.call import (
    Declined,
    Input,
    Kernel,
    KernelCall,
    Operand,
    Output,
    Packed,
    Prepared,
    Site,
    Temporary,
    Tensor,
)
from edgeopt.kernels.conv.channel_numbers import CONVOLUTIONS, channel_numbers
from edgeopt.kernels.conv.winograd_phases import Phase, input_phase, output_phase, product_phase
from edgeopt.kernels.conv.winograd_plan import Plan, best_plan, choices, cycles, halo
from edgeopt.kernels.conv.winograd_transform import measured_error, transformed_weights
from edgeopt.kernels.emit.epilogue import activation_of
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.walk.micro import STEPS

LARGEST_ERROR = 1e-4  # of the range of the results; chosen by hand
SAMPLED = 64  # output channels at most, or a few more, whose error is measured; all of them would take long
MOST_SHARES = 16  # chunks of a phase of an image


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a Conv or FusedConv node. Raises Declined where the direct form is better or more exact."""
    return tuple(phase.call() for phase in prepare(site)[1])


def prepare(site: Site) -> tuple[Plan, tuple[Prepared, ...]]:
    """The plan of a node, and its phases: one for all, or input transform, product, output transform. Raises Declined."""
    x, y, weight, r = site.given(0), site.outputs[0], site.constant(1), site.optional(3)
    if not x.layout.block or not y.layout.block or (r is not None and not r.layout.block):
        raise Declined("its operands do not lie blocked")
    group, block = site.node.integer("group", 1), x.layout.block
    if group > 1 and (weight.shape[0] // group % block or weight.shape[1] % block):
        raise Declined(f"{weight.shape[1]} channels in a group are no whole blocks of {block}")
    plan = best_plan(site)
    direct = y.shape[2] * y.shape[3] * 9 * weight.shape[1] * plan.outputs
    if not site.choice and cycles(site.target, plan) > 0.9 * direct:
        raise Declined("the direct form is estimated to be as fast")
    sample = weight[:: max(1, weight.shape[0] // SAMPLED)]
    error = measured_error(sample, transformed_weights(sample, plan.m), plan.m)
    if error > LARGEST_ERROR:
        raise Declined(f"its error would be {error:.1e} of the range")
    return plan, _prepared(site, plan, x, y, r)


def _prepared(site: Site, plan: Plan, x: Tensor, y: Tensor, r: Tensor | None) -> tuple[Prepared, ...]:
    target, roles = site.target, _roles(site, plan)
    enter = input_phase(target, plan, x)
    leave = output_phase(target, plan, y, r, activation_of(site.node))
    phases = enter, product_phase(target, plan, x.layout.block), leave
    if not plan.whole:
        return (Prepared(_in_blocks(plan, phases), roles, x.shape[0] * plan.blocks),)
    sizes = (plan.inputs, plan.positions * (plan.outputs // plan.tiling.vectors), plan.outputs)
    shares = [max(1, min(size, MOST_SHARES)) for size in sizes]
    functions = _in_phases(plan, phases, sizes, shares, target.lanes)
    reads = (("x", "v"), ("v", "weights", "m"), ("m", "bias", "residual", "y"))
    return tuple(
        Prepared(function, {role: roles[role] for role in read}, x.shape[0] * share)
        for function, read, share in zip(functions, reads, shares, strict=True)
    )


def _roles(site: Site, plan: Plan) -> dict[str, Operand]:
    """The operands of all phases; ``v`` and ``m`` hold transformed inputs and their products."""
    lanes, images = site.target.lanes, site.given(0).shape[0] if plan.whole else 1
    v, m = (
        Temporary(name, 4 * images * plan.positions * plan.stride(vectors, lanes), not plan.whole)
        for name, vectors in (("v", plan.inputs), ("m", plan.outputs))
    )
    return {
        "x": Input(0),
        "weights": _weights(site.constant(1), plan, lanes),
        "bias": Packed(channel_numbers(site, plan.outputs * lanes, lanes)),
        "residual": Input(3) if site.optional(3) is not None else Output(),
        "y": Output(),
        "v": v,
        "m": m,
    }


def _weights(weight: Array, plan: Plan, lanes: int) -> Packed:
    """The transformed ``weight`` as ``[position][tile of vectors][I][vector and lane]``, zeros where channels end."""
    (outputs, inputs), width = weight.shape[:2], plan.tiling.vectors * lanes
    depth = -(-inputs // STEPS) * STEPS
    shape = (plan.positions, plan.outputs * lanes // width, depth, width)
    return Packed.transformed(weight, Transform(plan.m, outputs, inputs, width, depth), shape)


def _in_blocks(plan: Plan, phases: tuple[Phase, Phase, Phase]) -> Callable[..., None]:
    """All phases of one block after the other, in scratch memory of the thread."""
    enter, multiply, leave = phases
    blocks, count, inputs, outputs = plan.blocks, plan.count, plan.inputs, plan.outputs
    panels = plan.positions * (plan.outputs // plan.tiling.vectors)

    def convolve(x: Any, u: Any, b: Any, r: Any, y: Any, v: Any, m: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, first = chunk // blocks, chunk % blocks * count
            enter(x, v, image, first, 0, inputs)
            multiply(v, u, m, 0, panels)
            leave(m, b, r, y, image, first, 0, outputs)

    return convolve


def _in_phases(
    plan: Plan, phases: tuple[Phase, Phase, Phase], sizes: tuple[int, int, int], shares: list[int], lanes: int
) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None]]:
    """Three kernels over whole images: each shares its extent (input vectors, panels, output vectors) among chunks."""
    enter, multiply, leave = phases
    v_size, m_size = (plan.positions * plan.stride(n, lanes) for n in (plan.inputs, plan.outputs))
    (inputs, panels, outputs), (share_in, share, share_out) = sizes, shares

    def transform_in(x: Any, v: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, part = chunk // share_in, chunk % share_in
            enter(x, offset(v, image * v_size), image, 0, part * inputs // share_in, (part + 1) * inputs // share_in)

    def products(v: Any, u: Any, m: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, part = chunk // share, chunk % share
            here, made = offset(v, image * v_size), offset(m, image * m_size)
            multiply(here, u, made, part * panels // share, (part + 1) * panels // share)

    def transform_out(m: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, part = chunk // share_out, chunk % share_out
            source = offset(m, image * m_size)
            leave(source, b, r, y, image, 0, part * outputs // share_out, (part + 1) * outputs // share_out)

    return transform_in, products, transform_out


KERNEL = Kernel("conv_winograd", CONVOLUTIONS, select, layout="blocked", hot=True, halo=halo, level=2, choices=choices)
