"""The phases of an integer Winograd convolution: transformed weights; then inputs, products and results of blocks of tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from edgeopt.kernels.call import Tensor
from edgeopt.kernels.conv.winograd_plan import FEWEST_TILES
from edgeopt.kernels.conv.winograd_transform import transform_input, transform_output
from edgeopt.kernels.emit.emitter import I8, I16, LINE, Emitter, Value
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_tile import QuantTile, accumulate
from edgeopt.kernels.integer.quant_tiling import Tiling, choose
from edgeopt.kernels.integer.quant_tiling import slots as slots_of_row
from edgeopt.kernels.integer.requantize import HEADER, Requantize, emit_end
from edgeopt.kernels.walk.micro import Loop, nest
from edgeopt.kernels.walk.plane_window import Halo
from edgeopt.target import Target

M, TAPS, POSITIONS = 2, 9, 16
# Instructions that a transform takes for one vector, counted in the loops' assembly; chosen by hand
ENTER, LEAVE, WEIGHT = 70, 90, 60


@dataclass(frozen=True)
class Plan:
    """Geometry: 2 x 2 outputs in each of ``tiles``, ``across`` in a row, ``count`` in each of ``blocks``; where there is one

    block, ``shares`` of it make as many chunks, which compute some of the outputs each. ``inputs`` are blocks of ``block``
    channels, ``outputs`` vectors of ``lanes``, of which a register tile has ``tiling.vectors``.
    """

    height: int
    width: int
    across: int
    tiles: int
    count: int
    blocks: int
    shares: int
    inputs: int
    outputs: int
    block: int
    lanes: int
    top: int
    left: int
    tiling: Tiling

    @property
    def positions(self) -> int:
        """Products of a tile for one pair of channels."""
        return POSITIONS

    @property
    def depth(self) -> int:
        """Input channels, those that fill up the last block included."""
        return self.inputs * self.block

    @property
    def firsts(self) -> list[int]:
        """The first vector of each panel of weights; the last panel is moved back to end with the outputs."""
        size = self.tiling.vectors
        return [min(first, max(0, self.outputs - size)) for first in range(0, self.outputs, size)]

    @property
    def groups(self) -> int:
        """Panels of weights of a position."""
        return len(self.firsts)

    @property
    def weights(self) -> int:
        """Transformed weights of a position."""
        return self.groups * self.depth * self.tiling.vectors * self.lanes

    @property
    def weights_stride(self) -> int:
        """Bytes from one position of them to the next; odd in lines, so that positions do not collide."""
        return (-(-2 * self.weights // LINE) | 1) * LINE

    @property
    def inputs_stride(self) -> int:
        """Elements from one position of transformed inputs to the next; odd in blocks, so that positions do not collide."""
        return (self.inputs * self.count | 1) * self.block

    @property
    def outputs_stride(self) -> int:
        """Sums from one position to the next; there is room for all vectors of a panel."""
        return (max(self.outputs, self.tiling.vectors) * self.count | 1) * self.lanes


def make_plan(target: Target, x: Tensor, y: Tensor, pads: Halo) -> Plan:
    """As many tiles in a block as keep its transformed inputs and sums in the first cache, or take as much memory as the weights,

    which every block reads again, and no more than half the second cache.
    """
    height, width = y.shape[2:]
    block, lanes, across = x.layout.block, target.lanes, -(-width // M)
    tiles, outputs = across * -(-height // M), y.blocks * y.layout.block // lanes
    room = min(target.l2 // 2, max(target.l1, 2 * POSITIONS * x.blocks * block * outputs * lanes))
    most = max(FEWEST_TILES, room // (POSITIONS * (2 * x.blocks * block + 4 * outputs * lanes)))
    blocks = max(-(-tiles // most), min(target.cores, tiles // FEWEST_TILES), 1)
    count = -(-tiles // blocks)
    tiling = choose(target, count, outputs, 1, x.blocks * block // 4)
    shares = min(target.cores, -(-outputs // tiling.vectors)) if blocks == 1 else 1
    top, left = pads[0], pads[1]
    blocks = -(-tiles // count)
    return Plan(height, width, across, tiles, count, blocks, shares, x.blocks, outputs, block, lanes, top, left, tiling)


def slots(target: Target, plan: Plan) -> float:
    """Instructions of an image, about."""
    enter = plan.tiles * plan.inputs * ENTER
    leave = plan.tiles * plan.outputs * LEAVE
    weights = plan.weights / (2 * plan.lanes) * WEIGHT
    product = slots_of_row(target, plan.tiling, plan.outputs, plan.depth // 4)
    return enter + leave + weights + POSITIONS * plan.blocks * product


def direct_slots(target: Target, plan: Plan) -> float:
    """Those of the direct form."""
    words = TAPS * plan.depth // 4
    return plan.height * slots_of_row(target, choose(target, plan.width, plan.outputs, 1, words), plan.outputs, words)


class Integers(Emitter):
    """Writes the transforms in integers."""

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.builder.add(a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self.builder.sub(a, b)


def weight_phase(target: Target, plan: Plan) -> Callable[..., None]:
    """The kernel ``(codes, transformed)``: (2 G) g (2 G)^T of the panels of a chunk, as int16."""
    unit, words = 2 * plan.lanes, ir.VectorType(I16, 2 * plan.lanes)
    step, stride = plan.tiling.vectors * 4 * plan.lanes, plan.weights_stride  # codes of four inputs; bytes

    def emit(e: Emitter, codes: Value, made: Value) -> None:
        whole = Integers(e.target, e.builder)
        taps = [e.builder.sext(e.load_as(ir.VectorType(I8, unit), codes, tap * step), words) for tap in range(TAPS)]
        columns = [_doubled(whole, [taps[3 * i + j] for i in range(3)]) for j in range(3)]
        values = [value for i in range(M + 2) for value in _doubled(whole, [column[i] for column in columns])]
        for position, value in enumerate(values):
            e.store(value, made, position * stride)

    transform = vector_function(target, 2, emit)
    quarters, parts = plan.depth // 4, step // unit

    def transform_weights(codes: Any, made: Any, begin: int, end: int) -> None:
        for item in range(begin * quarters, end * quarters):
            for part in range(parts):
                transform(offset(codes, item * TAPS * step + part * unit), offset(made, 2 * (item * step + part * unit)))

    return transform_weights


def _doubled(e: Emitter, g: Sequence[Value]) -> list[Value]:
    """2 G g of three taps."""
    outer = e.add(g[0], g[2])
    return [e.add(g[0], g[0]), e.add(outer, g[1]), e.sub(outer, g[1]), e.add(g[2], g[2])]


def in_blocks(target: Target, plan: Plan, x: Tensor, y: Tensor, r: Tensor | None, how: Requantize) -> Callable[..., None]:
    """The kernel ``(x, weights, numbers, residual, y, v, m)``: all phases of a block of tiles after each other."""
    enter, multiply, leave = _input_phase(target, plan, x), _product_phase(target, plan), _output_phase(target, plan, y, r, how)
    blocks, count, shares, groups = plan.blocks, plan.count, plan.shares, plan.groups
    vectors, outputs = plan.tiling.vectors, plan.outputs

    def convolve(x: Any, u: Any, b: Any, r: Any, y: Any, v: Any, m: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, rest = chunk // (blocks * shares), chunk % (blocks * shares)
            first, share = rest // shares * count, rest % shares
            here, there = share * groups // shares, (share + 1) * groups // shares
            enter(x, v, image, first)
            multiply(v, u, m, here, there)
            stop = there * vectors
            leave(m, b, r, y, image, first, here * vectors, stop if stop < outputs else outputs)

    return convolve


def _input_phase(target: Target, plan: Plan, x: Tensor) -> Callable[..., None]:
    """``(x, v, image, first)``: B^T d B of the tiles from ``first`` on, those behind the last one being the last one again."""
    block, row, stride, words = plan.block, x.row * plan.block, plan.inputs_stride, ir.VectorType(I16, plan.block)
    signed = x.type.dtype == "int8"

    def emit(e: Emitter, source: Value, made: Value) -> None:
        def load(i: int, j: int) -> Value:
            codes = e.load_as(ir.VectorType(I8, block), source, i * row + j * block)
            return e.builder.sext(codes, words) if signed else e.builder.zext(codes, words)

        for position, value in enumerate(transform_input(Integers(e.target, e.builder), M, load)):
            e.store(value, made, position * stride)

    transform = vector_function(target, 2, emit)
    start, image, plane = (x.origin - plan.top * x.row - plan.left) * block, x.blocks * x.plane * block, x.plane * block
    inputs, count, tiles, across = plan.inputs, plan.count, plan.tiles, plan.across
    last_row, last_column = plan.height - M, plan.width - M

    @inline
    def phase(x: Any, v: Any, number: int, first: int) -> None:
        for channel in range(inputs):
            source = offset(x, start + number * image + channel * plane)
            for t in range(count):
                tile = first + t if first + t < tiles else tiles - 1
                i, j = tile // across * M, tile % across * M
                i, j = i if i < last_row else last_row, j if j < last_column else last_column
                transform(offset(source, i * row + j * block), offset(v, (channel * count + t) * block))

    return phase


def _product_phase(target: Target, plan: Plan) -> Callable[..., None]:
    """``(v, weights, m, begin, end)``: the products of all positions for the panels from ``begin`` to ``end``."""
    pixels, vectors, lanes, count, block = plan.tiling.pixels, plan.tiling.vectors, plan.lanes, plan.count, plan.block
    tile = QuantTile(
        pixels=tuple(t * block for t in range(pixels)),
        places=(),
        vectors=(0,) * vectors,
        end=Requantize(),
        loops=(Loop(plan.inputs, count * block),),
        steps=tuple(range(0, block, 4)),
        wide=True,
    )

    def emit(e: Emitter, x: Value, w: Value, y: Value) -> None:
        sums = [e.integers(0)] * (pixels * vectors)
        total = nest(e, tile.loops, x, [w, *sums], lambda x, carried: accumulate(e, tile, tile.steps, x, carried))[1:]
        for place, value in enumerate(total):
            e.store(value, y, (place // vectors + place % vectors * count) * lanes)

    run = vector_function(target, 3, emit)
    v_stride, m_stride, u_stride, panel = (
        plan.inputs_stride,
        plan.outputs_stride,
        plan.weights_stride,
        2 * plan.weights // plan.groups,
    )
    across, highest = plan.tiling.across, max(0, plan.outputs - vectors)

    @inline
    def phase(v: Any, u: Any, m: Any, begin: int, end: int) -> None:
        for position in range(POSITIONS):
            for group in range(begin, end):
                vector = group * vectors if group * vectors < highest else highest
                w, made = offset(u, position * u_stride + group * panel), offset(m, position * m_stride + vector * count * lanes)
                for k in range(across):
                    t = k * pixels if k < across - 1 else count - pixels
                    run(offset(v, position * v_stride + t * block), w, offset(made, t * lanes))

    return phase


def _output_phase(target: Target, plan: Plan, y: Tensor, r: Tensor | None, how: Requantize) -> Callable[..., None]:
    """``(m, numbers, residual, y, image, first, begin, end)``: A^T M A of the vectors from ``begin`` to ``end``, made codes."""
    lanes, stride, block, added = plan.lanes, plan.outputs_stride, plan.block, r or y
    places = [(i * y.row + j) * block for i in range(M) for j in range(M)]
    added_places = [(i * added.row + j) * block for i in range(M) for j in range(M)]
    kind = ir.VectorType(I8 if how.added in ("", "uint8", "int8") else I16, lanes)

    def emit(e: Emitter, source: Value, b: Value, residual: Value, made: Value) -> None:
        whole = Integers(e.target, e.builder)
        rows = transform_output(whole, M, lambda position: e.load_as(e.int_vector, source, position * stride))
        bias = e.load_as(e.int_vector, b, HEADER)
        sums = [e.builder.add(e.builder.ashr(value, e.integers(2)), bias) for row in rows for value in row]
        factor = e.builder.bitcast(e.load_as(e.int_vector, b, HEADER + lanes), e.vector)
        codes = [e.load_as(kind, residual, place) for place in added_places] if how.added else []
        emit_end(e, how, sums, [factor] * len(sums), b, codes, made, places)

    transform = vector_function(target, 4, emit)
    per_block, numbers, tiles, across, count = block // lanes, HEADER + 2 * lanes, plan.tiles, plan.across, plan.count
    y_start, y_plane, y_row, blocks = y.origin * block, y.plane * block, y.row * block, y.blocks
    r_start, r_plane, r_row = added.origin * block, added.plane * block, added.row * block
    last_row, last_column = plan.height - M, plan.width - M

    @inline
    def phase(m: Any, b: Any, r: Any, y: Any, number: int, first: int, begin: int, end: int) -> None:
        for vector in range(begin, end):
            plane, within = number * blocks + vector // per_block, vector % per_block * lanes
            for t in range(count if first + count < tiles else tiles - first):
                i, j = (first + t) // across * M, (first + t) % across * M
                i, j = i if i < last_row else last_row, j if j < last_column else last_column
                transform(
                    offset(m, (vector * count + t) * lanes),
                    offset(b, vector * numbers),
                    offset(r, plane * r_plane + r_start + within + i * r_row + j * block),
                    offset(y, plane * y_plane + y_start + within + i * y_row + j * block),
                )

    return phase
