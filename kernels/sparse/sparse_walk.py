"""How the tiles of a sparse product are visited, and the call that visits them.

All rows of blocks are multiplied with the input of a few tiles, which stays in the first cache, before the next few: weights are
read in sequence, which a processor foresees, and the input at offsets that it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeopt.kernels.call import Tensor
from edgeopt.kernels.emit.intrinsics import offset
from edgeopt.kernels.sparse.entries import HEIGHT, Entries
from edgeopt.kernels.sparse.sparse_tiling import SparseTiling
from edgeopt.target import Target

CHUNKS = 32  # chunks of a call, about, when there is work for as many
CRUMB = 1_000_000  # multiply-adds below which a chunk is not worth a claim; chosen by hand


@dataclass(frozen=True)
class Surface:
    """Elements from a tensor's storage to where the walk starts, and between images, units of outputs, rows and positions."""

    start: int
    image: int
    unit: int
    row: int
    position: int


@dataclass(frozen=True)
class Walk:
    """``images`` of ``size`` (height, width) positions in tiles of ``tiling``, and ``outputs``, which lie in units of ``unit``.

    A chunk is ``span`` rows of blocks of ``run`` tiles.
    """

    images: int
    size: tuple[int, int]
    tiling: SparseTiling
    outputs: int
    unit: int
    run: int
    span: int
    x: Surface
    y: Surface
    r: Surface

    @property
    def rows(self) -> list[int]:
        """The first output of each row of blocks; the last is moved back to end with the outputs."""
        return [min(first, self.outputs - HEIGHT) for first in range(0, self.outputs, HEIGHT)]

    @property
    def spans(self) -> int:
        """Chunks of a run of tiles."""
        return -(-len(self.rows) // self.span)

    @property
    def chunks(self) -> int:
        """Chunks of all images."""
        return self.images * -(-self.tiling.down * self.tiling.across // self.run) * self.spans


def surface(tensor: Tensor, start: int, steps: tuple[int, int] = (1, 1)) -> Surface:
    """The Surface of a blocked tensor that is walked from position ``start`` on, by ``steps`` in height and width."""
    block = tensor.layout.block
    plane = tensor.plane * block
    return Surface(start * block, tensor.blocks * plane, plane, steps[0] * tensor.row * block, steps[1] * block)


def chunk_size(target: Target, tiling: SparseTiling, work: float, input_bytes: int, rows: int, images: int) -> tuple[int, int]:
    """Tiles and rows of blocks in a chunk: there is enough parallel work but no crumbs.

    The ``input_bytes`` of those tiles fit half the first cache; ``work`` are the multiply-adds of a tile and a row of blocks.
    """
    tiles = tiling.down * tiling.across
    run = min(tiles, max(1, target.l1 // 2 * tiles // (input_bytes + 1)))
    shares = rows * -(-tiles // run) * images / CHUNKS
    return run, min(rows, max(1, int(CRUMB / (work * run)), int(shares)))


def walk_function(run: Any, walk: Walk, entries: Entries, words: int) -> Callable[..., None]:
    """The kernel ``(x, w, o, s, b, r, y, begin, end)``: the tile function ``run`` at every place.

    ``words`` of b belong to each row of blocks.
    """
    tiling, size = walk.tiling, entries.weights[0].size
    height, width, tiles, across = tiling.rows, tiling.columns, tiling.down * tiling.across, tiling.across
    lowest, last = walk.size[0] - height, walk.size[1] - width
    length, groups, span, spans = walk.run, len(walk.rows), walk.span, walk.spans
    parts = -(-tiles // length)
    final, unit = walk.outputs - HEIGHT, walk.unit
    xs, ys, rs = walk.x, walk.y, walk.r
    x0, xn, xr, xp = xs.start, xs.image, xs.row, xs.position
    y0, yn, yu, yr, yp = ys.start, ys.image, ys.unit, ys.row, ys.position
    r0, rn, ru, rr, rp = rs.start, rs.image, rs.unit, rs.row, rs.position

    def multiply(x: Any, w: Any, o: Any, s: Any, b: Any, r: Any, y: Any, begin: int, end: int) -> None:
        for chunk in range(begin, end):
            image, part, first = chunk // (parts * spans), chunk // spans % parts * length, chunk % spans * span
            for group in range(first, first + span if first + span < groups else groups):
                output = (group * HEIGHT if group * HEIGHT < final else final) // unit
                xc = offset(x, x0 + image * xn)
                yc = offset(y, y0 + image * yn + output * yu)
                rc = offset(r, r0 + image * rn + output * ru)
                wc, oc, bc = offset(w, s[group] * size), offset(o, s[group] + group), offset(b, group * words)
                for t in range(part, part + length if part + length < tiles else tiles):
                    row, column = t // across * height, t % across * width
                    if row > lowest:
                        row = lowest
                    if column > last:
                        column = last
                    xt, yt, rt = row * xr + column * xp, row * yr + column * yp, row * rr + column * rp
                    run(offset(xc, xt), wc, oc, bc, offset(rc, rt), offset(yc, yt))

    return multiply
