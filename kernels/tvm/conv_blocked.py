"""Direct convolution in the blocked layout: the tiles of a walk, each an implicit matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgeopt.kernels.conv.conv_blocked import Direct, Strides, share_ahead
from edgeopt.kernels.tvm.tile import Places, write_tile
from edgeopt.kernels.tvm.writer import Value, Writer, let, quotient, remainder, smaller, written
from edgeopt.target import Target


def conv_blocked(form: Direct, constants: Sequence[int], dtypes: Sequence[str], target: Target) -> Any:
    """A chunk is a run of tiles of one group of output vectors of one image."""
    walk, ahead = form.walk, share_ahead(target, form.walk)
    tile, last = (None if t is None else replace(t, ahead=ahead) for t in (form.tile, form.last))
    share = walk.weights >> (ahead or 0)
    assert tile is not None

    def body(w: Writer, chunk: Value) -> None:
        sums = w.local(len(tile.pixels) * len(tile.vectors) * w.lanes)
        image, rest = quotient(chunk, walk.blocks * walk.groups), remainder(chunk, walk.blocks * walk.groups)
        group = let(quotient(rest, walk.blocks) if walk.weights_outer else remainder(rest, walk.groups))
        first = let((remainder(rest, walk.blocks) if walk.weights_outer else quotient(rest, walk.groups)) * walk.run)
        image = let(image)
        with w.loop(first, smaller(first + walk.run, walk.tiles)) as t:
            row, column = (
                let(quotient(t, walk.across)),
                smaller(remainder(t, walk.across) * walk.pixels, walk.width - walk.pixels),
            )
            column = let(column)

            def place(s: Strides, part: Value) -> Value:
                return let(s.start + image * s.image + part * s.group + row * s.row + column * s.pixel)

            source = place(walk.x, quotient(group, walk.shared))
            following = let((group + 1) * walk.weights + (t if walk.weights_outer else t - first) * share)
            weights, biases = group * walk.weights, group * walk.biases
            at = Places(source, weights, biases, place(walk.r, group), place(walk.y, group), following)
            if last is None:
                write_tile(w, tile, at, sums)
            else:
                whole, final = (lambda t=t: write_tile(w, t, at, sums) for t in (tile, last))
                w.either(group < walk.groups - 1, whole, final)

    return written(target, dtypes, body)
