"""3x3 convolution of stride one by Winograd's F(4,3) or F(2,3): 4 or 2.25 times fewer multiplications than the direct form.

Blocks of tiles are transformed, multiplied and transformed back while they lie in the second cache; a block is a chunk. When
a map has too few tiles for several blocks, the three phases are calls of their own, shared among threads by channels.
Declined when the measured error exceeds ``LARGEST_ERROR`` or the direct form is estimated to be as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Operand, Output, Packed, Prepared, Site, Temporary, Tensor
from edgeopt.kernels.conv.winograd_transform import measured_error, transform_input, transform_output, transformed_weights
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.epilogue import Activation, activation_of
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.walk.micro import STEPS, Loop, Tile, tile_function
from edgeopt.kernels.walk.plane_window import Halo, conv_window
from edgeopt.kernels.walk.tiling import Tiling, ranked, stall
from edgeopt.target import Target

LARGEST_ERROR = 1e-4
TRIED = 2  # tilings of F(4,3) and of F(2,3) that are measured
FEWEST_TILES = 24  # tiles in a block, below which reading the weights again for every block costs too much


@dataclass(frozen=True)
class Plan:
    """Geometry of a convolution: tiles of ``m`` x ``m`` outputs, ``count`` of them in a block, inputs and outputs in vectors,
    ``channels`` in each of ``group`` convolution groups.

    ``whole``: one block holds the map and the phases are separate calls.
    """

    m: int
    height: int
    width: int
    across: int
    tiles: int
    count: int
    blocks: int
    whole: bool
    inputs: int
    outputs: int
    channels: int
    group: int
    top: int
    left: int
    tiling: Tiling

    @property
    def positions(self) -> int:
        """Products of a tile for one pair of channels."""
        return (self.m + 2) ** 2

    def stride(self, vectors: int, lanes: int) -> int:
        """Elements from one position to the next in a transformed block; odd in lines, so that positions do not collide."""
        return (vectors * self.count + 1) * lanes


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
    plan = _chosen(site) if site.choice else min(_plans(site), key=lambda p: cycles(site.target, p))
    direct = y.shape[2] * y.shape[3] * 9 * weight.shape[1] * plan.outputs
    if not site.choice and cycles(site.target, plan) > 0.9 * direct:
        raise Declined("the direct form is estimated to be as fast")
    transformed = transformed_weights(weight, plan.m)
    error = measured_error(weight, transformed, plan.m)
    if error > LARGEST_ERROR:
        raise Declined(f"its error would be {error:.1e} of the range")
    return plan, _prepared(site, plan, transformed, x, y, r)


def choices(site: Site) -> list[tuple[int, ...]]:
    """Forms and tilings that may be better than the rule's, as (m, pixels, vectors, across)."""
    made = [(p.m, t) for p in _plans(site) for t in _tilings(site.target, p, site.outputs[0].layout.block)[:TRIED]]
    return [(m, t.pixels, t.vectors, t.across) for m, t in made]


def _plans(site: Site) -> list[Plan]:
    pads, group = _pads(site.node), site.node.integer("group", 1)
    return [make_plan(site.target, site.given(0), site.outputs[0], pads, group, m) for m in (2, 4)]


def _chosen(site: Site) -> Plan:
    m, *tiling = site.choice
    return replace(next(p for p in _plans(site) if p.m == m), tiling=Tiling(*tiling))


def _tilings(target: Target, plan: Plan, block: int) -> list[Tiling]:
    return ranked(target, plan.count, plan.outputs // plan.group, block // target.lanes, reading=_reading(target, plan))


def _reading(target: Target, plan: Plan) -> float:
    """Cycles in which a weight vector comes from memory; none where all of them stay in the second cache."""
    weights = plan.positions * plan.channels * plan.outputs * target.vector_bytes
    return target.vector_bytes / (target.bandwidth / target.frequency) if weights > target.l2 else 0.0


def _pads(node: Node) -> Halo:
    window = conv_window(node)
    if window.kernel != (3, 3) or window.strides != (1, 1) or window.dilations != (1, 1):
        raise Declined("it is not 3x3 of stride one")
    return window.halo


def make_plan(target: Target, x: Tensor, y: Tensor, pads: Halo, group: int, m: int) -> Plan:
    """The plan of F(m, 3): as many tiles in a block as keep its transformed inputs and outputs in half the second cache."""
    inputs, outputs = (t.blocks * t.layout.block // target.lanes for t in (x, y))
    across = -(-y.shape[3] // m)
    tiles = across * -(-y.shape[2] // m)
    most = max(FEWEST_TILES, target.l2 // 2 // ((m + 2) ** 2 * (inputs + outputs) * target.vector_bytes))
    blocks = -(-tiles // most)
    whole = blocks <= 2 and tiles <= 2 * FEWEST_TILES
    count = tiles if whole else -(-tiles // blocks)
    plan = Plan(
        m=m,
        height=y.shape[2],
        width=y.shape[3],
        across=across,
        tiles=tiles,
        count=count,
        blocks=1 if whole else blocks,
        whole=whole,
        inputs=inputs,
        outputs=outputs,
        channels=x.shape[1] // group,
        group=group,
        top=pads[0],
        left=pads[1],
        tiling=Tiling(1, 1, count),
    )
    return replace(plan, tiling=_tilings(target, plan, y.layout.block)[0])


def cycles(target: Target, plan: Plan) -> float:
    """Estimated cycles per image at one vector multiplication a cycle; the first tile of a row may wait for the weights."""
    size = plan.m + 2
    transforms = plan.tiles * (plan.inputs * 5 * size * size + plan.outputs * 4 * size * size)
    products = plan.outputs * plan.count + stall(plan.tiling, plan.outputs, _reading(target, plan))
    return transforms + size * size * plan.channels * plan.blocks * products


def _prepared(site: Site, plan: Plan, transformed: Array, x: Tensor, y: Tensor, r: Tensor | None) -> tuple[Prepared, ...]:
    target, lanes = site.target, site.target.lanes
    bias = np.zeros(plan.outputs * lanes, np.float32)
    bias[: y.shape[1]] = site.constant(2) if site.optional(2) is not None else 0
    weights, biases = Packed(pack(transformed, plan, lanes)), Packed(bias)
    images = x.shape[0] if plan.whole else 1
    sizes = [4 * images * plan.positions * plan.stride(n, lanes) for n in (plan.inputs, plan.outputs)]
    v, m = (Temporary(name, size, not plan.whole) for name, size in zip(("v", "m"), sizes, strict=True))
    added: Operand = Input(3) if r is not None else Output()
    spec = (target, plan, x.layout, y.layout, None if r is None else r.layout, activation_of(site.node), y.shape)
    phases = _phases(target, plan, x, y, r, activation_of(site.node))
    if not plan.whole:
        roles: dict[str, Operand] = {
            "x": Input(0),
            "weights": weights,
            "bias": biases,
            "residual": added,
            "y": Output(),
            "v": v,
            "m": m,
        }
        return (Prepared(_in_blocks(plan, phases), roles, x.shape[0] * plan.blocks, ("conv_winograd", *spec)),)
    panels = plan.positions * (plan.outputs // plan.tiling.vectors)
    shares = [max(1, min(n, 16)) for n in (plan.inputs, panels, plan.outputs)]
    ends = {"bias": biases, "residual": added, "y": Output()}
    first, second, third = _in_phases(plan, phases, (plan.inputs, panels, plan.outputs), shares, lanes)
    return (
        Prepared(first, {"x": Input(0), "v": v}, images * shares[0], ("conv_winograd_input", *spec)),
        Prepared(second, {"v": v, "weights": weights, "m": m}, images * shares[1], ("conv_winograd_product", *spec)),
        Prepared(third, {"m": m, **ends}, images * shares[2], ("conv_winograd_output", *spec)),
    )


def pack(transformed: Array, plan: Plan, lanes: int) -> Array:
    """[position, O, I] as ``[position][tile of vectors][I][vector and lane]``, zeros where channels end."""
    positions, outputs, inputs = transformed.shape
    depth, width = -(-inputs // STEPS) * STEPS, plan.tiling.vectors * lanes
    full = np.zeros((positions, plan.outputs * lanes // width, depth, width), np.float32)
    padded = transformed
    if outputs % width:
        padded = np.concatenate([transformed, np.zeros((positions, -outputs % width, inputs), np.float32)], axis=1)
    full[:, :, :inputs] = padded.reshape(positions, -1, width, inputs).transpose(0, 1, 3, 2)
    return full


Phase = Callable[..., None]


def _phases(target: Target, plan: Plan, x: Tensor, y: Tensor, r: Tensor | None, act: Activation) -> tuple[Phase, Phase, Phase]:
    """Three functions over a block of tiles: a range of input vectors, of panels, of output vectors."""
    return _input_phase(target, plan, x), product_phase(target, plan, x.layout.block), _output_phase(target, plan, y, r, act)


def _input_phase(target: Target, plan: Plan, x: Tensor) -> Phase:
    lanes, block, row, m = target.lanes, x.layout.block, x.row * x.layout.block, plan.m
    stride, image, plane, per_block = plan.stride(plan.inputs, lanes), x.blocks * x.plane * block, x.plane * block, block // lanes
    start, count, tiles, across = (x.origin - plan.top * x.row - plan.left) * block, plan.count, plan.tiles, plan.across

    def emit(e: Emitter, source: Value, made: Value) -> None:
        values = transform_input(e, m, lambda i, j: e.load(source, i * row + j * block))
        for position, value in enumerate(values):
            e.store(value, made, position * stride)

    transform = vector_function(target, 2, emit)

    @inline
    def phase(x: Any, v: Any, number: int, first: int, begin: int, end: int) -> None:
        for vector in range(begin, end):
            source = offset(x, start + number * image + vector // per_block * plane + vector % per_block * lanes)
            for t in range(count):
                tile = first + t if first + t < tiles else tiles - 1
                here = tile // across * m * row + tile % across * m * block
                there = ((vector // per_block * count + t) * per_block + vector % per_block) * lanes
                transform(offset(source, here), offset(v, there))

    return phase


def product_phase(target: Target, plan: Plan, block: int) -> Phase:
    lanes, count, vectors = target.lanes, plan.count, plan.tiling.vectors
    steps = min(STEPS, block)
    left = -(-(plan.channels % block) // steps)
    loops = (Loop(-(-plan.channels // block), count * block), Loop(block // steps, steps, left if left < block // steps else 0))
    places = tuple(t * lanes for t in range(plan.tiling.pixels))
    tile = Tile(
        pixels=tuple(t * block for t in range(plan.tiling.pixels)),
        places=places,
        vectors=tuple(v * count * lanes for v in range(vectors)),
        loops=loops if block > steps else loops[:1],
        steps=tuple(range(steps)),
        bias=False,
    )
    run, panels, pixels, across = tile_function(target, tile), plan.outputs // vectors, plan.tiling.pixels, plan.tiling.across
    from_stride, to_stride = plan.stride(plan.inputs, lanes), plan.stride(plan.outputs, lanes)
    weights = -(-plan.channels // STEPS) * STEPS * vectors * lanes
    shared, group_stride = panels // plan.group, plan.inputs // plan.group * count * lanes

    @inline
    def phase(v: Any, u: Any, m: Any, begin: int, end: int) -> None:
        for item in range(begin, end):
            start = item // panels * from_stride + item % panels // shared * group_stride
            source, panel = offset(v, start), offset(u, item * weights)
            made = offset(m, item // panels * to_stride + item % panels * vectors * count * lanes)
            for k in range(across):
                t = k * pixels if k < across - 1 else count - pixels
                run(offset(source, t * block), panel, panel, panel, offset(made, t * lanes))

    return phase


def _output_phase(target: Target, plan: Plan, y: Tensor, r: Tensor | None, act: Activation) -> Phase:
    lanes, m, stride, added = target.lanes, plan.m, plan.stride(plan.outputs, target.lanes), r or y
    block, y_row, r_row = y.layout.block, y.row * y.layout.block, added.row * y.layout.block
    per_block, y_plane, r_plane = block // lanes, y.plane * block, added.plane * block
    y_start, r_start, blocks = y.origin * block, added.origin * block, y.blocks
    height, width, count, tiles, across, adds = plan.height, plan.width, plan.count, plan.tiles, plan.across, r is not None

    uneven = height % m > 0 or width % m > 0

    def emit(e: Emitter, source: Value, bias: Value, residual: Value, made: Value, rows: Value, columns: Value) -> None:
        addend, values = e.load(bias), transform_output(e, m, lambda position: e.load(source, position * stride))
        for i, k in ((i, k) for i in range(m) for k in range(m)):
            places = [e.at(residual, i * r_row + k * block), e.at(made, i * y_row + k * block)]
            if uneven:
                inside = e.builder.and_(_below(e, i, rows), _below(e, k, columns))
                places = [e.builder.select(inside, place, source) for place in places]
            value = e.add(values[i][k], addend)
            value = e.add(value, e.load(places[0])) if adds else value
            e.store(act.apply(e, value), places[1])

    transform = vector_function(target, 6, emit)

    @inline
    def phase(source: Any, b: Any, r: Any, y: Any, number: int, first: int, begin: int, end: int) -> None:
        for vector in range(begin, end):
            plane, within = number * blocks + vector // per_block, vector % per_block * lanes
            for t in range(count if first + count < tiles else tiles - first):
                i, j = (first + t) // across * m, (first + t) % across * m
                transform(
                    offset(source, (vector * count + t) * lanes),
                    offset(b, vector * lanes),
                    offset(r, plane * r_plane + r_start + within + i * r_row + j * block),
                    offset(y, plane * y_plane + y_start + within + i * y_row + j * block),
                    height - i,
                    width - j,
                )

    return phase


def _below(e: Emitter, index: int, count: Value) -> Value:
    return e.builder.icmp_signed("<", integer(index), count)


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


def halo(node: Node) -> Halo:
    """The border that whole tiles of 4 x 4 outputs touch: the pads and what the last tiles read beyond them."""
    try:
        top, left, bottom, right = _pads(node)
    except Declined:
        return 0, 0, 0, 0
    assert node.output.type is not None
    over = [-size % 4 for size in node.output.type.dims[2:]]
    return top, left, bottom + over[0], right + over[1]


KERNEL = Kernel("conv_winograd", ("Conv", "FusedConv"), select, layout="blocked", hot=True, halo=halo, level=2, choices=choices)
