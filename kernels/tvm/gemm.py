"""Matrix products of plain tensors, by the tiles of a walk over panels of output vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeopt.kernels.gemm.product import Panels
from edgeopt.kernels.tvm.tile import Places, write_tile
from edgeopt.kernels.tvm.writer import Value, Writer, let, quotient, remainder, smaller, written
from edgeopt.target import Target


def gemm(form: Panels, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """A chunk is a run of tiles of rows in one panel of an image."""
    walk, product, width = form.walk, form.walk.product, form.walk.vectors * target.lanes
    packed = (walk.panels - 1) * width + len(form.last.vectors) * target.lanes
    matrix, step = (packed, product.depth * width) if walk.packed else (product.columns, width)

    def body(w: Writer, chunk: Value) -> None:
        sums = w.local(len(form.whole.pixels) * len(form.whole.vectors) * w.lanes)
        each = walk.panels * walk.parts
        image, rest = let(quotient(chunk, each)), remainder(chunk, each)
        panel, first = let(quotient(rest, walk.parts)), let(remainder(rest, walk.parts) * walk.run)
        weights = let((0 if product.shared else image * (product.depth * matrix)) + panel * step)
        with w.loop(first, smaller(first + walk.run, walk.tiles)) as t:
            row = let(image * product.rows + smaller(t * walk.pixels, product.rows - walk.pixels))
            here = let(row * product.columns + panel * width)
            at = Places(row * product.depth, weights, panel * width, here, here)
            if walk.panels == 1:
                write_tile(w, form.last, at, sums)
            else:
                inner, last = lambda: write_tile(w, form.whole, at, sums), lambda: write_tile(w, form.last, at, sums)
                w.either(panel < walk.panels - 1, inner, last)

    return written(target, dtypes, body)
