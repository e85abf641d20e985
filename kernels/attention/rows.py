"""A product of a block of rows with a matrix, emitted as one piece: all register tiles of all panels."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.kernels.emit.emitter import Emitter, Value, integer
from edgeopt.kernels.walk.micro import STEPS, Loop, Tile, emit_tile
from edgeopt.kernels.walk.tiling import Tiling


@dataclass(frozen=True)
class Panels:
    """[rows, depth] x [depth, columns]: rows of x lie ``x_row`` elements apart, those of y ``y_row``.

    The matrix is packed in panels of the tiling's vectors (``w_row`` 0, see ``gemm.product``), or its rows lie ``w_row`` apart.
    """

    tiling: Tiling
    rows: int
    depth: int
    columns: int
    x_row: int
    y_row: int
    w_row: int = 0


def emit_rows(e: Emitter, p: Panels, x: Value, w: Value, y: Value) -> None:
    """y = x @ w."""
    total = -(-p.columns // e.lanes)
    panels = -(-total // p.tiling.vectors)
    width = p.tiling.vectors * e.lanes
    step = width if p.w_row else width * p.depth

    def panel(index: Value) -> list[Value]:
        _emit_panel(e, p, p.tiling.vectors, 0, x, e.at(w, _times(e, index, step)), e.at(y, _times(e, index, width)))
        return []

    if panels > 1:
        e.loop(panels - 1, [], panel)
    left = total - (panels - 1) * p.tiling.vectors
    first = panels - 1
    _emit_panel(e, p, left, p.columns % e.lanes, x, e.at(w, first * step), e.at(y, first * width))


def _emit_panel(e: Emitter, p: Panels, vectors: int, valid: int, x: Value, w: Value, y: Value) -> None:
    tile, final = _tile(e, p, vectors, valid), p.rows - p.tiling.pixels

    def body(index: Value) -> list[Value]:
        row = _times(e, index, p.tiling.pixels)
        row = e.builder.select(e.builder.icmp_signed("<", row, integer(final)), row, integer(final))
        emit_tile(e, tile, e.at(x, _times(e, row, p.x_row)), w, w, w, e.at(y, _times(e, row, p.y_row)))
        return []

    e.loop(-(-p.rows // p.tiling.pixels), [], body)


def _tile(e: Emitter, p: Panels, vectors: int, valid: int) -> Tile:
    full = p.depth // STEPS
    return Tile(
        pixels=tuple(i * p.x_row for i in range(p.tiling.pixels)),
        places=tuple(i * p.y_row for i in range(p.tiling.pixels)),
        vectors=tuple(v * e.lanes for v in range(vectors)),
        loops=(Loop(full, STEPS),) if full else (),
        steps=tuple(range(STEPS)),
        tail=tuple(range(full * STEPS, p.depth)),
        weight_step=p.w_row,
        valid=valid,
        bias=False,
    )


def _times(e: Emitter, index: Value, step: int) -> Value:
    return e.builder.mul(index, integer(step))
