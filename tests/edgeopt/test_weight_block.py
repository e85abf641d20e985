"""Weights that a loader transforms are not held while a model is compiled: they are made again, to the same bits."""

from __future__ import annotations

import numpy as np

from edgeopt.coding.block import Transform
from edgeopt.ir import Array
from edgeopt.kernels.call import Origin, Packed
from edgeopt.lower.program import WeightBlock
from tests.coding.winograd_weights import transformed

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((8, 4, 3, 3)).astype(np.float32)
PACKED = np.ascontiguousarray(transformed(WEIGHT, 4).transpose(0, 2, 1))  # one tile of all outputs
ORIGIN = Origin(WEIGHT, transform=Transform(4, 8, 4, 8, 4))
OTHERS: list[Array] = [RNG.standard_normal(5).astype(np.float32), np.arange(9, dtype=np.int8)]


def test_the_block_holds_all_that_was_added() -> None:
    block = WeightBlock()
    places = [block.add(OTHERS[0]), block.add(PACKED, ORIGIN), block.add(OTHERS[1]), block.add(OTHERS[0])]
    made = np.frombuffer(block.block(), np.uint8)
    assert places[0] == places[3] and len(block.chunks) == 3 and len(made) == block.size
    for place, array in zip(places, (OTHERS[0], PACKED, OTHERS[1]), strict=False):
        np.testing.assert_array_equal(made[place.offset : place.offset + array.nbytes], array.reshape(-1).view(np.uint8))


def test_what_is_forgotten_is_not_in_it() -> None:
    block = WeightBlock()
    block.add(OTHERS[0])
    mark = block.mark()
    block.add(PACKED, ORIGIN)
    block.back_to(mark)
    kept = block.add(OTHERS[1])
    np.testing.assert_array_equal(block.span(block.chunks[1:]), OTHERS[1].view(np.uint8))
    assert kept.offset == block.chunks[1].offset and len(block.chunks) == 2


def test_an_empty_constant_shares_its_place_with_the_next_one() -> None:
    block, full = WeightBlock(), np.arange(32, dtype=np.uint8)
    block.add(np.zeros((0, 4), np.int8))
    mark = block.mark()
    block.add(full)
    np.testing.assert_array_equal(np.frombuffer(block.block(), np.uint8)[:32], full)
    assert [block.span([chunk]).tobytes() for chunk in block.chunks] == [b"", full.tobytes()]
    block.back_to(mark)
    assert block.size == 0


def test_what_was_moved_is_made_again_of_its_source() -> None:
    block, packed = WeightBlock(), Packed.moved(WEIGHT, np.flip, 1)
    block.add(OTHERS[0])
    place = block.add(packed.array, packed.origin)
    assert block._contents[place.offset] is None
    np.testing.assert_array_equal(block.span(block.chunks[1:]), np.flip(WEIGHT, 1).reshape(-1).view(np.uint8))
