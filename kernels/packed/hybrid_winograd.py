"""HybridConv by Winograd's minimal filtering: weights are widened and transformed in scratch memory, then multiplied as in float.

    U = G g G^T        for each pair of channels, once for each inference

That costs about 5 (m + 2)^2 instructions for a vector of weights, which maps of many tiles make up for. Where one block of tiles
is the whole map, each thread transforms one panel of outputs after the other and multiplies it; where there are several blocks,
all weights are transformed first. Declined where a map is too small, or the transformed weights would take too much memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Packed, Prepared, Site, Temporary
from edgeopt.kernels.conv import conv_winograd
from edgeopt.kernels.conv.winograd_phases import product_phase
from edgeopt.kernels.conv.winograd_plan import Plan, cycles, halo
from edgeopt.kernels.conv.winograd_transform import transform_weights
from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.packed.weight_codes import BITS, STEPS, moved_from, pack_panels, panel_bytes, rows
from edgeopt.kernels.packed.weight_panels import WEIGHT, Panels, float_site, on_hybrid, scales_of, storage
from edgeopt.target import Target

TAPS, MOST_CHUNKS = 9, 16
CACHES = 4  # times the second cache that transformed weights may take in any case; chosen by hand


@dataclass(frozen=True)
class Transform:
    """The transform F(m, 3) of weights stored as ``kind``: ``panels`` of ``depth`` inputs x ``width`` outputs."""

    m: int
    kind: str
    scaled: bool
    depth: int
    width: int
    panels: int
    gap: int = 0

    @property
    def stride(self) -> int:
        """Elements from one position to the next; with a gap of an odd number of lines, positions do not collide in a cache."""
        return self.panels * self.depth * self.width + self.gap

    @property
    def elements(self) -> int:
        """Elements of all positions."""
        return (self.m + 2) ** 2 * self.stride


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a HybridConv of 3x3. Raises Declined as the float kernel does, and where the transform costs too much."""
    (plan, phases), target = conv_winograd.prepare(float_site(site, "FusedConv")), site.target
    (outputs, channels), lanes = site.constant(WEIGHT).shape[:2], target.lanes
    x, y = site.given(0), site.outputs[0]
    direct = y.shape[2] * y.shape[3] * TAPS * channels * plan.outputs
    if cycles(target, plan) + 5 * plan.positions * channels * plan.outputs / x.shape[0] > 0.9 * direct:
        raise Declined("its map is too small to make up for the transform of its weights")
    depth, width = -(-channels // STEPS) * STEPS, plan.tiling.vectors * lanes
    weight, order = site.constant(WEIGHT), (plan.outputs, depth, lanes)
    vectors = _vectors(weight, *order)
    scales = scales_of(site, outputs, plan.outputs * lanes)
    kind, panels = storage(site, Panels(vectors, scales, outputs, 1), outputs), plan.outputs * lanes // width
    how = Transform(plan.m, kind, scales is not None, depth, width, *((1, lanes) if plan.whole else (panels, 0)))
    if 4 * how.elements > max(CACHES * target.l2, 4 * (x.elements + y.elements)):
        raise Declined("its transformed weights would take too much memory")
    made = Temporary("transformed", how.elements, per_thread=plan.whole)
    given = (
        Packed(pack_panels(vectors, kind), moved_from(weight, kind, _vectors, *order)),
        Packed(np.ones(lanes, np.float32) if scales is None else scales),
    )
    if not plan.whole:
        return (KernelCall(_function(target, how), (*given, made), (), plan.outputs), *(_reading(p, made) for p in phases))
    first, product, last = phases
    v, m = product.operands["v"], product.operands["m"]
    share = min(panels, MOST_CHUNKS)
    function = _products(target, how, plan, x.layout.block, panels, share)
    return (first.call(), KernelCall(function, (v, *given, m, made), (), x.shape[0] * share), _reading(last, made))


def _vectors(weight: Array, outputs: int, depth: int, lanes: int) -> Array:
    """The weight as vectors of outputs [vector][channel * tap][lane], filled up with zeros."""
    made = np.zeros((outputs * lanes, depth, TAPS), weight.dtype)
    made[: weight.shape[0], : weight.shape[1]] = weight.reshape(*weight.shape[:2], TAPS)
    return made.reshape(outputs, lanes, depth * TAPS).transpose(0, 2, 1)


def _products(target: Target, how: Transform, plan: Plan, block: int, panels: int, share: int) -> Callable[..., None]:
    """The kernel ``(v, w, s, m, u, begin, end)`` over ``share`` parts of the panels of an image."""
    lanes, each, positions = target.lanes, how.width // target.lanes, plan.positions
    v_size, m_size = (positions * plan.stride(n, lanes) for n in (plan.inputs, plan.outputs))
    stored, panel, stride, scaled = panel_bytes(how.kind, how.depth * TAPS, lanes), how.depth * how.width, how.stride, how.scaled
    transform, multiply = _transform_function(target, how), product_phase(target, plan, block)

    def kernel(v: Any, w: Any, s: Any, m: Any, u: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, part = chunk // share, chunk % share
            here, made = offset(v, image * v_size), offset(m, image * m_size)
            for p in range(part * panels // share, (part + 1) * panels // share):
                for i in range(each):
                    vector = p * each + i
                    transform(offset(w, vector * stored), offset(s, vector * lanes if scaled else 0), offset(u, i * lanes))
                for position in range(positions):
                    item = position * panels + p
                    multiply(here, offset(u, position * stride - item * panel), made, item, item + 1)

    return kernel


def _reading(phase: Prepared, made: Temporary) -> KernelCall:
    """A phase of the float product on the inputs of the hybrid operator, transformed weights from ``made``."""
    return phase.call(**{role: made if role == "weights" else on_hybrid(o) for role, o in phase.operands.items()})


def _function(target: Target, how: Transform) -> Callable[..., None]:
    """The kernel ``(w, s, u, begin, end)``; a chunk is a vector of outputs."""
    lanes, each = target.lanes, how.width // target.lanes
    stored, panel, scaled = panel_bytes(how.kind, how.depth * TAPS, lanes), how.depth * how.width, how.scaled
    transform = _transform_function(target, how)

    def kernel(w: Any, s: Any, u: Any, begin: int, end: int) -> None:
        for vector in range(begin, end):
            made = offset(u, vector // each * panel + vector % each * lanes)
            transform(offset(w, vector * stored), offset(s, vector * lanes if scaled else 0), made)

    return kernel


def _transform_function(target: Target, how: Transform) -> Any:
    """The vector function ``(w, s, u)`` that transforms the weights of one vector of outputs, one channel after the other."""
    write = _whole if BITS[how.kind] >= 8 else _by_words
    return vector_function(target, 3, lambda e, w, s, u: write(e, how, w, e.load(s), u))


def _whole(e: Emitter, how: Transform, w: Value, factor: Value, u: Value) -> None:
    """Each channel has its taps in codes of its own."""
    stored = panel_bytes(how.kind, TAPS, e.lanes)

    def channel(index: Value) -> list[Value]:
        read = rows(e, how.kind, _step(e, w, index, stored), 1)
        return _transform(e, how, [read(tap, 0) for tap in range(TAPS)], factor, _step(e, u, index, how.width))

    e.loop(how.depth, [], channel)


def _by_words(e: Emitter, how: Transform, w: Value, factor: Value, u: Value) -> None:
    """Channels whose codes share words are widened together, into their first positions."""
    stored = panel_bytes(how.kind, STEPS, e.lanes)

    def channel(made: Value) -> list[Value]:
        return _transform(e, how, [e.load(made, tap * how.stride) for tap in range(TAPS)], factor, made)

    def several(index: Value) -> list[Value]:
        here, made = _step(e, w, index, TAPS * stored), _step(e, u, index, STEPS * how.width)
        for first in range(TAPS):
            read = rows(e, how.kind, e.at(here, first * stored), 1)
            for k in range(STEPS):
                at, tap = divmod(first * STEPS + k, TAPS)
                e.store(read(k, 0), made, tap * how.stride + at * how.width)
        e.loop(STEPS, [], lambda index: channel(_step(e, made, index, how.width)))
        return []

    e.loop(how.depth // STEPS, [], several)


def _step(e: Emitter, pointer: Value, index: Value, size: int) -> Value:
    return e.at(pointer, e.builder.mul(index, integer(size)))


def _transform(e: Emitter, how: Transform, taps: list[Value], factor: Value, made: Value) -> list[Value]:
    """Store what all positions of a channel hold; it carries nothing on."""
    scaled = [e.mul(tap, factor) for tap in taps] if how.scaled else taps
    for position, value in enumerate(transform_weights(e, how.m, scaled)):
        e.store(value, made, position * how.stride)
    return []


KERNEL = Kernel("hybrid_winograd", ("HybridConv",), select, layout="blocked", hot=True, halo=halo, level=2)
