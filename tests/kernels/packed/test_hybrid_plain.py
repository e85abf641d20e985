from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.packed.hybrid_plain import KERNEL
from tests.kernels.harness import check
from tests.kernels.hybrid_harness import KINDS, hybrid, weights

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Attribute], tuple[int, ...]]] = {
    "grouped, in a batch": ((2, 6, 9, 7), (4, 3, 3, 2), {"group": 2, "activation": "LeakyRelu"}, ()),
    "1-D with a residual": ((1, 4, 19), (7, 4, 3), {"pads": [1, 1]}, (1, 7, 19)),
    "3-D": ((1, 2, 5, 6, 7), (3, 2, 2, 2, 2), {}, ()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_meaning(case: str, kind: str) -> None:
    shape, weight, attributes, residual = CASES[case]
    check(*hybrid("HybridConv", shape, weights(kind, *weight), attributes, residual), [KERNEL])
