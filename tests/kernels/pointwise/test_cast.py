from __future__ import annotations

import numpy as np
import pytest

from edgeopt.ir import numpy_dtype, onnx_code
from edgeopt.kernels.pointwise import cast
from tests.kernels.one_node import agree, declined, normal, one_node

TYPES = ["float32", "float64", "float16", "int8", "int32", "int64", "uint8", "uint64", "bool"]


@pytest.mark.parametrize("result", TYPES)
@pytest.mark.parametrize("source", ["float32", "float16", "int8", "int64", "uint8", "bool"])
def test_agrees_with_reference(source: str, result: str) -> None:
    x = normal(40) * 20
    x = np.abs(x) if "u" in source or "u" in result else x
    agree(cast, "Cast", [x.astype(source)], {"to": onnx_code(result)})


def test_every_half_precision_number() -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    agree(cast, "Cast", [x], {"to": onnx_code("float32")}, rtol=0, atol=0)


def test_rounding_to_half_precision() -> None:
    x = np.concatenate([normal(5000) * scale for scale in (1e-8, 1e-6, 1e-4, 1, 1e3, 1e5)]).astype(np.float32)
    x = np.concatenate([x, np.array([65519.9, 65520, 2049, 2051, np.inf, np.nan, -0.0], np.float32)])
    with np.errstate(over="ignore"):
        agree(cast, "Cast", [x], {"to": onnx_code("float16")}, expected=[x.astype(np.float16)], rtol=0, atol=0)


@pytest.mark.parametrize("result", ["int4", "uint4"])
def test_bytes_lose_their_upper_bits(result: str) -> None:
    x = np.arange(-128, 128).astype("int8" if result.startswith("i") else "uint8")
    agree(cast, "Cast", [x], {"to": onnx_code(result)}, expected=[x.astype(numpy_dtype(result))], rtol=0, atol=0)


def test_declines_floats_to_sub_byte_integers() -> None:
    assert "cast to int4" in declined(cast, one_node("Cast", [normal(4)], {"to": onnx_code("int4")}))
