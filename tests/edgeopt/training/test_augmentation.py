"""What is changed in a sample, and what is not, wherever its channels are."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import Array
from edgeopt.training.augmentation import Augmentation, changed, mixed, spatial_axes


def maps(channels_last: bool) -> Array:
    """Samples of 3 channels, 16 high, 24 wide, all numbers of which differ."""
    made = np.arange(6 * 3 * 16 * 24, dtype=np.float32).reshape(6, 3, 16, 24)
    return made.transpose(0, 2, 3, 1) if channels_last else made


def channels_first(array: Array, channels_last: bool) -> Array:
    return array.transpose(0, 3, 1, 2) if channels_last else array


@pytest.mark.parametrize("last", [False, True])
def test_a_flip_turns_rows_of_each_channel(last: bool) -> None:
    given, made = maps(last), changed(maps(last), Augmentation(("flip",)), np.random.default_rng(0))
    before, after = channels_first(given, last), channels_first(made, last)
    turned = [np.array_equal(a, b[..., ::-1]) for a, b in zip(after, before, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(after, before, strict=True)]
    assert any(turned) and any(same) and all(t or s for t, s in zip(turned, same, strict=True))


@pytest.mark.parametrize("last", [False, True])
def test_a_shift_moves_rows_and_columns_and_no_channels(last: bool) -> None:
    given, made = maps(last), changed(maps(last), Augmentation(("shift",), 0.125), np.random.default_rng(0))
    before, after = channels_first(given, last), channels_first(made, last)
    moves = set()
    for old, new in zip(before, after, strict=True):
        found = [(y, x) for y in range(-2, 3) for x in range(-3, 4) if np.array_equal(new, moved(old, y, x))]
        assert len(found) == 1
        moves.add(found[0])
    assert len(moves) > 2


def moved(sample: Array, down: int, right: int) -> Array:
    """What lies so far on; the nearest values beyond the edges."""
    rows, columns = np.arange(sample.shape[1]) + down, np.arange(sample.shape[2]) + right
    return sample[:, np.clip(rows, 0, sample.shape[1] - 1)][:, :, np.clip(columns, 0, sample.shape[2] - 1)]


def test_sound_is_shifted_along_time() -> None:
    assert spatial_axes((5, 49, 10, 1)) == (1, 2) and spatial_axes((5, 1, 16000)) == (2,)


def test_samples_are_mixed_alike_in_all_inputs() -> None:
    values = np.eye(6, dtype=np.float32)
    made = mixed({"x": values, "y": np.repeat(values[:, None], 3, axis=1)}, np.random.default_rng(0))
    assert made["x"].dtype == np.float32
    assert np.allclose(made["x"].sum(1), 1) and (made["x"] >= 0).all()
    assert ((made["x"] > 0).sum(1) <= 2).all() and ((made["x"] > 0).sum(1) == 2).any()
    assert np.allclose(made["y"], made["x"][:, None])
