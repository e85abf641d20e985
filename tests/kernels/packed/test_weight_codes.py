from __future__ import annotations

import numpy as np
import pytest

from edgeopt.kernels.packed.weight_codes import BITS, STEPS, pack_panels, panel_bytes, storage_of
from tests.kernels.hybrid_harness import KINDS, weights


@pytest.mark.parametrize("kind", KINDS)
def test_values_decide_how_weights_are_stored(kind: str) -> None:
    assert storage_of(weights(kind, 9, 32)) == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1, -1], "binary"), ([0, 1, -1], "int2"), ([-2, 1], "int2"), ([2], "int4"), ([8], "int8"), ([-9], "int8")],
)
def test_a_code_more_takes_the_next_form(values: list[int], kind: str) -> None:
    assert storage_of(np.array(values, np.int8)) == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [8, 24, 3])
def test_a_panel_takes_its_bits_and_no_more(kind: str, depth: int) -> None:
    packed = pack_panels(weights(kind, 5, depth, 32), kind)
    steps = depth if BITS[kind] >= 8 else -(-depth // STEPS) * STEPS
    assert packed.dtype == np.uint8 and packed.shape == (5, panel_bytes(kind, depth, 32)) == (5, steps * 32 * BITS[kind] // 8)


def test_even_steps_lie_in_the_lower_half() -> None:
    codes = np.zeros((9, 2), np.int8)
    codes[0], codes[1], codes[7], codes[8] = (3, -8), (-1, 7), (4, 0), (5, 0)
    words = pack_panels(codes, "int4").view("<u4")
    assert [hex(w) for w in words] == ["0x400f0003", "0x70008", "0x5", "0x0"]
