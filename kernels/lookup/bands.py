"""Look-up convolutions in bands: the tables of some rows at a time, which lie in the cache when codes select from them.

The tables of a whole map take as much memory as the map 16 times over, which large maps do not get near the processor. A band
builds its tables into memory of its own thread, those of the rows that it shares with the next one, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgeopt.kernels.call import Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.integer.quant_walk import Walk
from edgeopt.kernels.lookup.lookup_tile import LookupTile
from edgeopt.kernels.lookup.map_tables import MapTables
from edgeopt.kernels.walk.micro import Loop
from edgeopt.kernels.walk.plane_window import PlaneWindow
from edgeopt.target import Target

FEWEST = 8  # bands of an image, for threads to share
REBUILT = 1.5  # times as many tables as there are positions, at most


@dataclass(frozen=True)
class Bands:
    """``run`` tiles of an image at a time, which read ``length`` positions at most, ``reach`` of them the last tile."""

    run: int
    length: int
    reach: int

    def count(self, walk: Walk) -> int:
        """Bands of an image."""
        return -(-walk.tiles // self.run)


def bands_of(target: Target, walk: Walk, tables: Tensor, window: PlaneWindow) -> Bands | None:
    """The bands whose tables stay in half the second cache; None where those of the whole map do, or bands overlap too much.

    A band is whole rows, or some tiles of a plane that is walked as one row.
    """
    size = tables.layout.block
    if tables.blocks * tables.plane * size <= target.l2 // 2:
        return None
    (height, width), (down, right) = window.kernel, window.dilations
    reach = ((walk.pixels - 1) * walk.x.pixel) // size + (height - 1) * down * tables.row + (width - 1) * right + 1
    unit = walk.across if walk.tiles > walk.across else 1
    most = max(unit, walk.tiles // FEWEST // unit * unit)
    made = [Bands(run, place(walk, size, run - 1) + reach, reach) for run in range(unit, most + 1, unit)]
    fitting = [b for b in made if tables.blocks * b.length * size <= target.l2 // 2] or made[:1]
    return fitting[-1] if fitting[-1].count(walk) * fitting[-1].length <= REBUILT * tables.plane else None


def place(walk: Walk, size: int, tile: int) -> int:
    """The position, from the first one that an image reads, where a tile begins to read tables of ``size`` bytes."""
    column = min(tile % walk.across * walk.pixels, walk.width - walk.pixels)
    return (tile // walk.across * walk.x.row + column * walk.x.pixel) // size


def banded(tile: LookupTile, walk: Walk, bands: Bands, size: int) -> tuple[LookupTile, Walk]:
    """Tile and walk over the tables of a band, whose planes are as long as the longest one."""
    first, *rest = tile.loops
    block = bands.length * size
    return replace(tile, loops=(Loop(first.count, block), *rest)), replace(walk, x=replace(walk.x, block=block))


def band_function(walk: Walk, bands: Bands, tables: MapTables, run: Any, read: Any) -> Callable[..., None]:
    """The kernel ``(x, books, numbers, codes, b, r, y, tables, copy, begin, end)``; a chunk is a band of an image.

    ``run`` and ``read`` are those of ``walk_function``.
    """
    size = walk.x.block // bands.length
    tiles, across, pixels, last = walk.tiles, walk.across, walk.pixels, walk.width - walk.pixels
    length, count, reach, blocks, most = bands.run, bands.count(walk), bands.reach, tables.blocks, bands.length
    groups, inner, vectors, outputs, unit, depth = walk.groups, walk.inner, walk.vectors, walk.outputs, walk.unit, walk.depth
    highest, weights, words, xs, ys, rs = walk.outputs - walk.vectors, walk.stored, walk.parameters, walk.x, walk.y, walk.r
    x0, xr, xp = xs.start // size, xs.row // size, xs.pixel // size
    y0, yn, yb, yr, yp = ys.start, ys.image, ys.block, ys.row, ys.pixel
    r0, rn, rb, rr, rp = rs.start, rs.image, rs.block, rs.row, rs.pixel
    build, plane, lane, books = tables.build, tables.plane, tables.block, tables.books

    def convolve(x: Any, w: Any, s: Any, c: Any, b: Any, r: Any, y: Any, t: Any, copy: Any, begin: int, end: int) -> None:
        known = -1
        for chunk in range(begin, end):
            image, first = chunk // count, chunk % count * length
            stop = first + length if first + length < tiles else tiles
            column, behind = first % across * pixels, (stop - 1) % across * pixels
            low = first // across * xr + (column if column < last else last) * xp
            high = (stop - 1) // across * xr + (behind if behind < last else last) * xp + reach
            for k in range(blocks):
                there = (image * blocks + k) * plane + x0 + low
                build(offset(x, there * lane), offset(w, k * books), s, offset(t, k * most * size), high - low)
            for group in range(groups):
                vector = group % inner * vectors
                block = (group // inner * outputs + (vector if vector < highest else highest)) // unit
                tc = offset(t, (group // inner * depth * most - low) * size)
                yc = offset(y, y0 + image * yn + block * yb)
                rc = offset(r, r0 + image * rn + block * rb)
                codes, bc = read(offset(c, group * weights), copy, group, known), offset(b, group * words)
                known = group
                for tile in range(first, stop):
                    row, column = tile // across, tile % across * pixels
                    if column > last:
                        column = last
                    place = (row * xr + column * xp) * size
                    yt, rt = row * yr + column * yp, row * rr + column * rp
                    run(offset(tc, place), codes, bc, offset(rc, rt), offset(yc, yt))

    return convolve
