"""Integer transposed convolution in the blocked layout: its phases are small convolutions that write pixels a stride apart.

As of floats (``conv_transpose_blocked``), phases with as many taps and outputs share a tile and a call; where each starts in x
and in y stands in a table. The numbers of a phase hold what its own taps make of the zero point of x, which lies around x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.kernels.call import Declined, Kernel, KernelCall, Operand, Output, Packed, Site
from edgeopt.kernels.conv.merged_groups import groups_together, merged
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_conv import in_order, loops_of
from edgeopt.kernels.integer.quant_dot import arranged, as_multiplied, meets_limit
from edgeopt.kernels.integer.quant_operands import (
    WEIGHT,
    centred,
    ending,
    require_result,
    seen_zero,
    tile_flips,
    tile_site,
    x_zero,
)
from edgeopt.kernels.integer.quant_panels import Panels, stored_panels
from edgeopt.kernels.integer.quant_tile import QuantTile, tile_function
from edgeopt.kernels.integer.quant_tiling import choose
from edgeopt.kernels.integer.quant_walk import Walk, first_vector, panel_of, vector_places, walk_of
from edgeopt.kernels.integer.requantize import Requantize, parameters
from edgeopt.kernels.walk.phases import Form, Pair, by_form, phase_halo, phase_starts, phase_weights, plane_phases
from edgeopt.kernels.walk.plane_window import Halo, PlaneWindow
from edgeopt.target import Target

NO_PADS = (0, 0, 0, 0)


def select(site: Site) -> tuple[KernelCall, ...]:
    """The calls for a QuantConvTranspose. Raises Declined for layouts, types and groups it cannot walk."""
    x, y, weight, group = site.given(0), site.outputs[0], centred(site, 1), site.node.integer("group", 1)
    require_result(y)
    if not x.layout.block or not y.layout.block or y.layout.block % site.target.lanes:
        raise Declined("its operands do not lie blocked")
    if any(halo(site.node)) and x.layout.fill != x_zero(site.node):
        raise Declined("the border of its input does not hold its zero point")
    groups = Groups(group, groups_together(group, weight.shape[0] // group, weight.shape[1], max(x.layout.block, y.layout.block)))
    every = groups.phase(weight, None)
    site = tile_site(site, 0, every)
    how, _ = ending(site, every, 0, seen_zero(site))
    copies, source = as_multiplied(site.target, x)
    forms = by_form(plane_phases(site.node, WEIGHT))
    return (*copies, *(_call(site, source, weight, groups, how, form, pairs) for form, pairs in forms.items()))


@dataclass(frozen=True)
class Groups:
    """``given`` groups, ``together`` of which are taken as one."""

    given: int
    together: int

    @property
    def count(self) -> int:
        """How many are left."""
        return self.given // self.together

    def phase(self, weight: Array, pair: Pair | None) -> Array:
        """The weights [M, C / count, h, w] of a phase, all taps where there is none; a phase without taps has one of zero."""
        if pair is not None and not all(phase.taps for phase in pair):
            return np.zeros((weight.shape[1] * self.given, weight.shape[0] // self.count, 1, 1), np.int8)
        return merged(phase_weights(weight, self.given, pair), self.given, self.together)


def _call(
    site: Site, source: Operand, weight: Array, groups: Groups, how: Requantize, form: Form, pairs: list[Pair]
) -> KernelCall:
    x, y, target = site.given(0), site.outputs[0], site.target
    window = PlaneWindow((max(1, form.taps[0]), max(1, form.taps[1])), (1, 1), form.steps, NO_PADS, NO_PADS)
    taken = [groups.phase(weight, pair) for pair in pairs]
    words = [in_order(w, x.layout.block) for w in taken]
    vectors, unit = y.blocks * y.layout.block // target.lanes, y.layout.block // target.lanes
    tiling = choose(target, form.size[1], vectors // groups.count, unit, words[0].shape[1])
    walk = walk_of(target, (x, y, y), window, tiling, form.size, groups.count, words[0].shape[1])
    tile = _tile(site, how, window, (tiling.pixels, tiling.vectors), weight.shape[0] // groups.count)
    firsts, count = [first_vector(walk, g) * target.lanes for g in range(walk.groups)], walk.vectors * target.lanes
    arrays = np.stack([arranged(target, panel_of(w, first, count)) for w in words for first in firsts])
    panels = stored_panels(target, weight, arrays, max(1, len(tile.steps)) * tiling.vectors, 1)
    tile = replace(tile, limit=meets_limit(target, weight), paired=panels.paired)
    if not all(form.taps):
        tile, panels = replace(tile, loops=(), steps=()), Panels(np.zeros((1, 0), np.int8), 0, False, False)
    numbers = [parameters(ending(site, w, 0, seen_zero(site))[1], firsts, count) for w in taken]
    packed = [panels.stored if panels.stored.size else np.zeros(1, np.int8), np.concatenate(numbers), phase_starts(x, y, pairs)]
    walk = replace(walk, stored=panels.bytes, y=replace(walk.y, start=0, **_strided(site.node, walk)))
    chunks = len(pairs) * x.shape[0] * walk.groups * walk.blocks
    return KernelCall(_function(target, tile, walk, x.shape[0]), (source, *map(Packed, packed), Output()), (), chunks)


def _strided(node: Node, walk: Walk) -> dict[str, int]:
    """Rows and pixels of the result are strides apart."""
    strides = node.integers("strides", (1, 1))
    return {"row": walk.y.row * strides[0], "pixel": walk.y.pixel * strides[1]}


def _tile(site: Site, how: Requantize, window: PlaneWindow, size: tuple[int, int], channels: int) -> QuantTile:
    x, y, (pixels, vectors) = site.given(0), site.outputs[0], size
    loops, steps = loops_of(x, window, channels)
    distance = site.node.integers("strides", (1, 1))[1] * y.layout.block
    return QuantTile(
        pixels=tuple(i * x.layout.block for i in range(pixels)),
        places=tuple(i * distance for i in range(pixels)),
        vectors=vector_places(site.target, y, vectors),
        loops=tuple(loop for i, loop in enumerate(loops) if loop.count > 1 or (i == 0 and loop.last)),
        steps=steps,
        end=how,
        flipped=tile_flips(site),
    )


def _function(target: Target, tile: QuantTile, walk: Walk, images: int) -> Callable[..., None]:
    """The kernel ``(x, w, b, starts, y, begin, end)``; a chunk is a run of tiles of a group of vectors of a phase."""
    run = tile_function(target, tile)
    tiles, across, pixels, last = walk.tiles, walk.across, walk.pixels, walk.width - walk.pixels
    length, blocks, groups, unit = walk.run, walk.blocks, walk.groups, walk.unit
    vectors, highest, weights, words = walk.vectors, walk.outputs - walk.vectors, walk.stored, walk.parameters
    inner, outputs, xg = walk.inner, walk.outputs, walk.depth * walk.x.block
    xn, xr, xp, yn, yb, yr, yp = walk.x.image, walk.x.row, walk.x.pixel, walk.y.image, walk.y.block, walk.y.row, walk.y.pixel
    share = images * groups * blocks

    def convolve(x: Any, w: Any, b: Any, starts: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            phase, rest = chunk // share, chunk % share
            image, group, first = rest // (blocks * groups), rest // blocks % groups, rest % blocks * length
            block = (group // inner * outputs + min(group % inner * vectors, highest)) // unit
            xc = offset(x, starts[2 * phase] + image * xn + group // inner * xg)
            yc = offset(y, starts[2 * phase + 1] + image * yn + block * yb)
            panel = phase * groups + group
            wc, bc = offset(w, panel * weights), offset(b, panel * words)
            for t in range(first, min(first + length, tiles)):
                row, column = t // across, min(t % across * pixels, last)
                made = offset(yc, row * yr + column * yp)
                run(offset(xc, row * xr + column * xp), wc, bc, made, made)

    return convolve


def halo(node: Node) -> Halo:
    """The border that the phases read around the input."""
    return phase_halo(node, WEIGHT)


KERNEL = Kernel("quant_transpose", ("QuantConvTranspose",), select, layout="blocked", hot=True, halo=halo, fill=x_zero)
