"""Shapes that the data decide are run as they are; a declaration that contradicts them is an error that names both."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import parser

import edgeopt
from edgeopt import EdgeoptError
from edgeopt.frontend import export, load
from edgeopt.ir import Array
from edgeopt.ir.clone import clone

pytestmark = pytest.mark.filterwarnings("ignore:.*runs on the host")
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def model(text: str, declared: str) -> onnx.ModelProto:
    """``text`` with the declared shape of its output ``y`` put in for %."""
    return parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> g ' + text.replace("%", declared))


# operator -> (inputs, element type of the output, node, what the inputs besides x hold, shape of the output)
CASES: dict[str, tuple[str, str, str, dict[str, object], tuple[int, ...]]] = {
    "NonZero": ("float[2,3] x", "int64", "NonZero(x)", {}, (2, 5)),
    "Compress": ("float[2,3] x, bool[2] c", "float", "Compress<axis=0>(x, c)", {"c": [False, True]}, (1, 3)),
    "Expand": ("float[2,3] x, int64[3] s", "float", "Expand(x, s)", {"s": [4, 1, 3]}, (4, 2, 3)),
    "Range": ("int64 a, int64 b, int64 c", "int64", "Range(a, b, c)", {"a": 0, "b": 3, "c": 1}, (3,)),
    "TopK": ("float[2,3] x, int64[1] k", "float", "TopK(x, k)", {"k": [2]}, (2, 2)),
    "Reshape": ("float[2,3] x, int64[2] s", "float", "Reshape(x, s)", {"s": [3, 2]}, (3, 2)),
    "Tile": ("float[2,3] x, int64[2] s", "float", "Tile(x, s)", {"s": [1, 2]}, (2, 6)),
    "Slice": ("float[2,3] x, int64[1] a, int64[1] b", "float", "Slice(x, a, b)", {"a": [1], "b": [9]}, (1, 3)),
    "Unsqueeze": ("float[2,3] x, int64[1] a", "float", "Unsqueeze(x, a)", {"a": [1]}, (2, 1, 3)),
    "Pad": ("float[2,3] x, int64[4] p", "float", "Pad(x, p)", {"p": [0, 1, 0, 0]}, (2, 4)),
    "ReduceSum": ("float[2,3] x, int64[1] a", "float", "ReduceSum<keepdims=0>(x, a)", {"a": [1]}, (2,)),
    "ConstantOfShape": ("int64[2] s", "float", "ConstantOfShape(s)", {"s": [2, 0]}, (2, 0)),
}


def case(name: str, declared: str) -> tuple[onnx.ModelProto, dict[str, Array], tuple[int, ...]]:
    """The model of a case with ``declared`` as the shape of its output, its inputs, and the shape that comes out."""
    given, dtype, node, values, shape = CASES[name]
    outputs = f"{dtype}[{declared}] y" + (", int64[k,l] i" if name == "TopK" else "")
    made = model(f"({given}) => ({outputs}) {{ y{', i' if name == 'TopK' else ''} = {node} }}", "")
    return made, {**({"x": X} if " x" in given else {}), **{k: np.array(v) for k, v in values.items()}}, shape


def text_of(shape: tuple[int, ...]) -> str:
    return ",".join(map(str, shape))


@pytest.mark.parametrize("name", CASES)
def test_the_shape_that_the_data_give_is_the_shape_of_the_output(name: str) -> None:
    shape = CASES[name][-1]
    for declared in (",".join("abcd"[: len(shape)]), text_of(shape)):
        made, inputs, _ = case(name, declared)
        assert edgeopt.compile(made).run(inputs)["y"].shape == shape


@pytest.mark.parametrize("name", CASES)
def test_a_declaration_that_disagrees_is_an_error_that_names_both(name: str) -> None:
    shape = CASES[name][-1]
    declared = (*shape[:-1], shape[-1] + 1)
    made, inputs, _ = case(name, text_of(declared))
    compiled = edgeopt.compile(made)
    with pytest.raises(EdgeoptError) as caught:
        compiled.run(inputs)
    assert str(list(shape)) in str(caught.value) and str(list(declared)) in str(caught.value)


def test_a_value_between_is_not_believed_either() -> None:
    """Both kernels would have taken the declared [2, 9] and read past what NonZero makes."""
    made = model("(float[2,3] x) => (int64[a,b] y) { z = NonZero(x) w = Add(z, z) y = Neg(w) }", "")
    made.graph.value_info.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.INT64, [2, 9]))
    np.testing.assert_array_equal(edgeopt.compile(made).run({"x": X})["y"], -2 * np.array(np.nonzero(X)))


def test_a_claim_survives_copies_and_files() -> None:
    graph = load(model("(float[2,3] x) => (int64[%] y) { y = NonZero(x) }", "2,9"))
    assert graph.declared == {"y": (2, 9)} == clone(graph).declared == load(export(graph)).declared


def test_a_claim_about_a_shape_that_is_known_does_not_count() -> None:
    graph = load(model("(float[2,3] x) => (float[%] y) { y = Relu(x) }", "9,9"))
    assert graph.declared == {}
    np.testing.assert_array_equal(edgeopt.compile(graph).run({"x": X})["y"], X)


def test_a_loop_whose_state_grows() -> None:
    body = "b (int64 i, bool c, float[1] s) => (bool d, float[1] t) { d = Identity(c) t = Concat<axis=0>(s, s) }"
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1] x) => (float[n] y) <int64 n = {3}, bool c = {1}> '
        f"{{ z = Loop(n, c, x) <body = {body}> y = Relu(z) }}"
    )
    grown: Array = edgeopt.compile(made).run({"x": np.ones(1, np.float32)})["y"]
    np.testing.assert_array_equal(grown, np.ones(8, np.float32))
