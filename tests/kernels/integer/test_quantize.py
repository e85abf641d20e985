from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from edgeopt.ir import Array
from edgeopt.kernels.integer import quantize
from tests.kernels.one_node import agree, integers, normal

TYPES = ["int8", "uint8", "int16", "uint16"]


def _whole(*shape: int, dtype: str, seed: int = 0) -> Array:
    info = np.iinfo(dtype)
    return integers(*shape, low=int(info.min), high=int(info.max) + 1, dtype=dtype, seed=seed)


def _scale(*shape: int) -> Array:
    return np.abs(normal(*shape)) + np.float32(0.1)


@pytest.mark.parametrize("dtype", TYPES)
def test_quantize(dtype: str) -> None:
    agree(quantize, "QuantizeLinear", [normal(3, 50) * np.float32(50), _scale(), np.array(3, dtype)])
    agree(quantize, "QuantizeLinear", [normal(2, 3, 4) * np.float32(50), _scale(3), _whole(3, dtype=dtype)], {"axis": 1})
    inputs = [normal(2, 6, 4) * np.float32(50), _scale(2, 3, 4), _whole(2, 3, 4, dtype=dtype)]
    agree(quantize, "QuantizeLinear", inputs, {"axis": 1, "block_size": 2})


@pytest.mark.parametrize("dtype", TYPES)
def test_dequantize(dtype: str) -> None:
    agree(quantize, "DequantizeLinear", [_whole(3, 50, dtype=dtype), _scale(), np.array(3, dtype)])
    agree(quantize, "DequantizeLinear", [_whole(2, 3, 4, dtype=dtype), _scale(3)], {"axis": -2})
    inputs = [_whole(2, 6, 4, dtype=dtype), _scale(2, 3, 4), _whole(2, 3, 4, dtype=dtype, seed=1)]
    agree(quantize, "DequantizeLinear", inputs, {"axis": 1, "block_size": 2})


def test_halves_go_to_even() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300], np.float32)
    expected = np.array([0, 2, 2, 0, -2, 127, -128], np.int8)
    agree(quantize, "QuantizeLinear", [x, np.array(1, np.float32), np.array(0, np.int8)], expected=[expected])


def test_without_zero_point() -> None:
    agree(quantize, "QuantizeLinear", [normal(3, 50), _scale()])
    agree(quantize, "DequantizeLinear", [_whole(3, 50, dtype="int32"), _scale()])


def test_four_bits() -> None:
    x = np.arange(-8, 8).astype(ml_dtypes.int4)
    agree(quantize, "DequantizeLinear", [x, _scale(), np.array(1, ml_dtypes.int4)])
