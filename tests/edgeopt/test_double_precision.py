"""The double precision that the benchmarks hold engines against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

from benchmarks.double_precision import doubled, evaluated
from benchmarks.float64_error import error, moved
from edgeopt.errors import EdgeoptError

RNG = np.random.default_rng(5)
HEAD = '<ir_version: 10, opset_import: ["" : 21]>'
BODIES = {
    "strided": ("w[6,2,3,2]", "y = Conv<group = 2, strides = [2,1], dilations = [1,2], pads = [1,0,2,1]>(x, w)"),
    "pads itself": ("w[6,4,4,3]", 'y = Conv<auto_pad = "SAME_LOWER", strides = [2,2]>(x, w)'),
    "transposed": ("w[4,3,3,2]", "y = ConvTranspose<strides = [2,3], pads = [1,0,0,1], output_padding = [1,0]>(x, w)"),
}


def written(path: Path, sizes: str, body: str) -> onnx.ModelProto:
    model = parser.parse_model(f"{HEAD} net (float[1,4,7,6] x, float{sizes[1:]} w) => (float[a,b,c,d] y) {{ {body} }}")
    onnx.save(model, path)
    return model


@pytest.mark.parametrize("name", BODIES)
def test_convolutions_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    model = written(tmp_path / "net.onnx", *BODIES[name])
    sizes = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input]
    feed = {n: RNG.normal(size=s).astype(np.float32) for n, s in zip("xw", sizes, strict=True)}
    (found,) = evaluated(tmp_path / "net.onnx", feed)
    expected: Any = ReferenceEvaluator(doubled(model)).run(None, {n: a.astype(np.float64) for n, a in feed.items()})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected[0], rtol=1e-12, atol=1e-12)


def test_roundings_of_single_precision_are_seen(tmp_path: Path) -> None:
    body = "small = Constant<value_float = 0.00000001>() a = Add(x, small) b = Sub(a, x) y = Div(b, small)"
    onnx.save(parser.parse_model(f"{HEAD} net (float[3] x) => (float[3] y) {{ {body} }}"), tmp_path / "net.onnx")
    x = np.ones(3, np.float32)
    (exact,) = evaluated(tmp_path / "net.onnx", {"x": x})
    np.testing.assert_allclose(exact, 1.0, rtol=1e-6)
    assert ((x + np.float32(1e-8)) - x).max() == 0.0


def test_a_value_in_single_precision_is_an_error(tmp_path: Path) -> None:
    body = "a = EyeLike<dtype = 1>(x) y = Relu(a)"
    onnx.save(parser.parse_model(f"{HEAD} net (float[3,3] x) => (float[3,3] y) {{ {body} }}"), tmp_path / "net.onnx")
    with pytest.raises(EdgeoptError, match="is not computed in double precision"):
        evaluated(tmp_path / "net.onnx", {"x": np.ones((3, 3), np.float32)})


def test_errors_are_shares_of_the_range_and_inputs_move_by_a_bit() -> None:
    assert error([np.array([0.0, 4.0])], [np.array([0.5, 4.0])]) == 0.125
    x = RNG.normal(size=20).astype(np.float32)
    near = moved({"x": x})["x"]
    assert (near != x).all() and (np.abs(near - x) <= np.spacing(np.abs(x))).all()
