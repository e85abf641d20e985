from __future__ import annotations

import pytest

from edgeopt.ir import Attribute
from edgeopt.kernels.conv import conv_transpose
from tests.kernels.one_node import agree, normal

Case = tuple[tuple[int, ...], tuple[int, ...], int, dict[str, Attribute]]
CASES: dict[str, Case] = {
    "plain": ((1, 2, 3, 4), (2, 3, 3, 3), 3, {}),
    "grouped": ((2, 4, 3, 4), (4, 3, 3, 2), 6, {"group": 2, "strides": [2, 3], "pads": [1, 0, 2, 1], "output_padding": [1, 1]}),
    "larger output": ((1, 1, 3, 3), (1, 2, 3, 3), 2, {"strides": [3, 2], "output_shape": [10, 8]}),
    "same upper": ((1, 1, 3, 3), (1, 2, 3, 4), 2, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "same lower": ((1, 1, 3, 3), (1, 2, 3, 4), 2, {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "valid": ((1, 1, 3, 3), (1, 2, 3, 4), 2, {"strides": [2, 2], "auto_pad": "VALID"}),
    "one dimension": ((1, 1, 3), (1, 2, 3), 2, {}),
    "three dimensions": ((1, 1, 3, 4, 5), (1, 2, 3, 3, 3), 2, {"strides": [2, 1, 2]}),
    "dilated": ((1, 1, 3, 3), (1, 1, 2, 2), 1, {"dilations": [2, 2]}),
}


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_reference(case: str) -> None:
    shape, weight, outputs, attributes = CASES[case]
    agree(conv_transpose, "ConvTranspose", [normal(*shape), normal(*weight), normal(outputs)], attributes, rtol=1e-5, atol=1e-5)
