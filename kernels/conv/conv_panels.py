"""Weights of convolutions in the order in which the tiles of the blocked layout read them."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.conv.merged_groups import merged
from edgeopt.kernels.walk.micro import STEPS


def steps_of(channels: int, block: int) -> int:
    """Steps in a loop body: fewer than usual when that wastes less on channels that fill no block."""
    return STEPS // 2 if 0 < channels % STEPS <= STEPS // 2 else min(STEPS, block)


def pack_merged(weight: Array, together: tuple[int, int], block: int, steps: int, count: int) -> Array:
    """``pack`` of a weight whose groups are merged as ``together`` (their number, and how many in one) says."""
    return pack(merged(weight, *together), block, steps, count)


def pack(weight: Array, block: int, steps: int, count: int) -> Array:
    """Weights [O, I, h, w] as ``[tile of count outputs][block of inputs][h][w][input][output]``; outputs fill whole blocks.

    The last block of inputs is cut to whole steps. The last tile has only the blocks it needs; then the result is flat.
    """
    total = -(-weight.shape[0] // block) * block
    full = np.zeros((total, *weight.shape[1:]), weight.dtype)
    full[: weight.shape[0]] = weight
    whole = total - total % count
    if whole == total:
        return _panels(full, block, steps, count)
    parts = [_panels(part, block, steps, min(count, len(part))) for part in (full[:whole], full[whole:]) if len(part)]
    return np.concatenate([part.reshape(-1) for part in parts])


def _panels(weight: Array, block: int, steps: int, count: int) -> Array:
    (outputs, inputs, height, width) = weight.shape
    blocks = -(-inputs // block)
    full = np.zeros((outputs, blocks * block, height, width), weight.dtype)
    full[:, :inputs] = weight
    order = full.reshape(outputs // count, count, blocks, block, height, width).transpose(0, 2, 4, 5, 3, 1)
    kept = -(-(inputs - (blocks - 1) * block) // steps) * steps
    head = order[:, :-1].reshape(len(order), -1)
    return np.concatenate([head, order[:, -1, :, :, :kept].reshape(len(order), -1)], axis=1)
