"""Where packed elements lie is found, said in few numbers, and read back; what is no moving of elements is not described."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgeopt.coding.placement import placement, places
from edgeopt.errors import EdgeoptError
from edgeopt.kernels.conv.conv_panels import pack as pack_conv
from edgeopt.kernels.gemm.product import pack as pack_matrix

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(2)


def back(shape: tuple[int, ...], pack: Any) -> int:
    """Bytes of the description, after the tensor was read back from what ``pack`` makes of it."""
    tensor = RNG.standard_normal(shape).astype(np.float32)
    found = placement(shape, pack)
    assert found is not None
    packed = np.asarray(pack(tensor)).reshape(-1)
    np.testing.assert_array_equal(packed[places(json.loads(json.dumps(found)), shape, len(packed))], tensor)
    return len(json.dumps(found))


@pytest.mark.parametrize("shape", [(64, 32, 3, 3), (40, 21, 3, 3), (16, 3, 7, 7), (100, 130, 1, 1)])
def test_convolutions_in_the_blocked_layout(shape: tuple[int, ...]) -> None:
    assert back(shape, lambda w: pack_conv(w, 16, 4, 64)) < 400


@pytest.mark.parametrize("shape", [(64, 128), (21, 1000), (1, 5), (300, 17)])
def test_matrices_in_panels(shape: tuple[int, ...]) -> None:
    assert back(shape, lambda w: pack_matrix(w[None], 4, 16)) < 250
    assert back(shape[::-1], lambda w: pack_matrix(w.T[None], 4, 16)) < 250


def test_what_is_not_moved_or_shuffled_is_not_described() -> None:
    assert placement((4, 5), lambda w: w * 2) is None
    assert placement((4, 5), lambda w: w[:3]) is None
    assert placement((4, 5), lambda w: np.concatenate([w, w[1:]])) is not None  # some of them twice
    assert placement((200, 50), lambda w: w.reshape(-1)[np.random.default_rng(0).permutation(10000)]) is None
    assert placement((6,), lambda w: w.astype(np.float32)) is None


def test_odd_shapes() -> None:
    assert back((1,), lambda w: w) > 0
    assert back((2, 3, 4), lambda w: np.pad(w.transpose(2, 0, 1), ((0, 1), (0, 0), (1, 0)))) > 0
    assert placement((), lambda w: w) == [0, []]


def test_nonsense_is_refused() -> None:
    for sequence in ([0, [1, 5]], [0, [1, 1 << 40]], [-3, [1, 4]], [1, [1, 4]], [0, [1, 3]]):
        with pytest.raises(EdgeoptError, match="compile the model again"):
            places([0, [[[sequence], []]]], (4,), 4)
