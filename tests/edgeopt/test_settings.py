"""Inputs that are settings become constants, and branches on them fold; dimensions without a name are each one of their own."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, parser

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from tests.edgeopt.command_line import edgeopt as command

HEAD = '<ir_version: 10, opset_import: ["" : 21]>'


def by_rate() -> ModelProto:
    """x doubled at a rate of 16000, else negated; the branches have different shapes."""
    return parser.parse_model(
        f"""{HEAD} g (float[1,4] x, int64 sr) => (float[1,n] y) {{
        rate = Constant<value = int64 {{16000}}>()
        fast = Equal(sr, rate)
        y = If (fast) <
            then_branch = t () => (float[1,4] a) {{ a = Add(x, x) }},
            else_branch = e () => (float[1,8] b) {{ b = Concat<axis = 1>(x, x) }}
        >
    }}"""
    )


@pytest.mark.parametrize("rate", [16000, 8000])
def test_a_branch_on_a_setting_folds(rate: int) -> None:
    compiled = edgeopt.compile(by_rate(), options=edgeopt.Options(bind={"sr": rate}))
    assert compiled.manifest["fallbacks"] == [] and [i["name"] for i in compiled.manifest["inputs"]] == ["x"]
    assert f"input 'sr' is bound to {rate}" in compiled.manifest["notes"]
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    np.testing.assert_array_equal(compiled.run({"x": x})["y"], 2 * x if rate == 16000 else np.concatenate([x, x], axis=1))


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        ({"rate": 1}, "no input 'rate' to bind; the inputs are x, sr"),
        ({"sr": 0.5}, "'sr' is int64, which does not hold 0.5"),
        ({"sr": "fast"}, "expected are numbers"),
        ({"sr": [1, 2]}, r"'sr' has shape \[\]; it is bound to numbers of shape \[2\]"),
    ],
)
def test_what_cannot_be_bound_is_named(bind: dict[str, object], message: str) -> None:
    with pytest.raises(EdgeoptError, match=message):
        load(by_rate(), bind=bind)  # type: ignore[arg-type]


def test_the_command_binds(tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/m.onnx"
    with open(path, "wb") as file:
        file.write(by_rate().SerializeToString())
    result = command("compile", path, "--bind", "sr=16000", "-o", f"{tmp_path}/m.edgeopt")
    assert result.exit_code == 0 and "bound to 16000" in result.stderr
    assert command("compile", path, "--bind", "sr", "-o", f"{tmp_path}/m.edgeopt").exit_code == 2


def test_dimensions_without_a_name_are_not_the_same() -> None:
    model = parser.parse_model(f"{HEAD} g (float[1,a,b] x) => (float[1,c,d] y) {{ y = Relu(x) }}")
    for dim in model.graph.input[0].type.tensor_type.shape.dim[1:]:
        dim.dim_param = "?"
    assert load(model, {"x": (1, 48, 192)}).inputs[0].type == load(model, {"x": (1, 48, 192)}).outputs[0].type


def test_a_conflict_names_both_dimensions() -> None:
    model = parser.parse_model(f"{HEAD} g (float[1,n] x, float[n] w) => (float[1,n] y) {{ y = Mul(x, w) }}")
    message = "input 'x', dimension 1 and input 'w', dimension 0 are both 'n' in the model; the shapes say 3 and 4"
    with pytest.raises(EdgeoptError, match=message):
        load(model, {"x": (1, 3), "w": (4,)})
