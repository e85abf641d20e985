"""The budget binds: NaN is the worst error everywhere, what no form can hold stays in float or is refused by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.quantize.recipe import _clearly_best
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.budget import Candidate, choose
from edgeopt.search.result import record
from edgeopt.search.run import approximate
from edgeopt.target import target
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS, EVALUATION, EXAMPLES
from tests.edgeopt.command_line import edgeopt as command

FLOAT, NARROW = "float32", "w8a8"
CALIBRATION = EXAMPLES / "digits.cal.npz"
MEASURES = (metrics.signal_to_noise, lambda a, b: -metrics.divergence(a, b), lambda a, b: -metrics.decision_divergence(a, b))


def normal(size: tuple[int, ...]) -> Array:
    return np.random.default_rng(0).normal(size=size)


def broken(outputs: Array, value: float) -> Array:
    made = outputs.copy()
    made[2, 1] = value
    return made


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_is_worse_than_anything_else(value: float) -> None:
    reference = normal(size=(6, 4)).astype(np.float32)
    for measure in MEASURES:
        assert measure(reference, broken(reference, value)) < measure(reference, reference + 1e6 * normal(size=(6, 4)))
    every = np.full_like(reference, value)
    assert metrics.agreement(every, reference) == 0.0 and metrics.agreement(every, every) == 0.0
    assert metrics.accuracy(every, np.zeros(6, np.int64)) == 0.0
    assert metrics.agreement(broken(reference, value), reference) == pytest.approx(500 / 6)
    assert metrics.relative_error(reference, every) >= 1e9


def test_infinities_that_both_have_are_no_error() -> None:
    masked = broken(normal(size=(6, 4)).astype(np.float32), -math.inf)
    assert metrics.agreement(masked, masked) == 100.0 and metrics.divergence(masked, masked) == 0.0
    assert metrics.signal_to_noise(masked, masked) == metrics.MAX_DECIBEL
    assert 0.0 < metrics.signal_to_noise(masked, masked * np.float32(1.01)) < metrics.MAX_DECIBEL


def test_single_numbers_are_compared_by_their_distance() -> None:
    reference = normal(size=(50, 1)).astype(np.float32)
    assert metrics.agreement(reference, reference) == 100.0
    assert metrics.agreement(reference + 0.1 * reference.std(), reference) == pytest.approx(90.0, abs=0.01)
    assert metrics.agreement(-9 * reference, reference) == 0.0 and metrics.agreement(reference * math.nan, reference) == 0.0
    assert metrics.agreement(np.asarray([1, 2, 3, 5]), np.asarray([1, 2, 3, 4])) == 75.0


def test_layers_go_back_whose_drop_or_error_is_nan() -> None:
    def measure(forms: Mapping[str, str]) -> float:
        return math.nan if forms["b"] == NARROW else 0.0

    known = [Candidate(n, FLOAT, 1.0, 0.0) for n in "ab"] + [
        Candidate("a", NARROW, 0.0, 0.5),
        Candidate("b", NARROW, 0.0, math.nan),
    ]
    found = choose({"a": NARROW, "b": NARROW}, lambda: known, measure, 1.0)
    assert found.forms == {"a": NARROW, "b": FLOAT} and found.drop == 0.0


def test_a_drop_that_no_error_explains_still_leads_back_to_float() -> None:
    known = [Candidate(n, form, cost, 0.0) for n in "ab" for form, cost in ((FLOAT, 1.0), (NARROW, 0.0))]
    found = choose(dict.fromkeys("ab", NARROW), lambda: known, lambda forms: 9.0 * list(forms.values()).count(NARROW), 1.0, FLOAT)
    assert found.forms == {"a": FLOAT, "b": FLOAT} and found.drop == 0.0


def test_a_recipe_with_nan_is_never_the_best() -> None:
    assert _clearly_best([("nan", math.nan), ("good", 1.0)]) == "good"
    assert _clearly_best([("good", 1.0), ("nan", math.nan)]) == "good"


def convolutions(first: Array, second: Array) -> ModelProto:
    """Two convolutions, 'first' and 'second', with these weights [4, 3, 3, 3] and [4, 4, 3, 3]."""
    x, y = small_models.info("x", (1, 3, 8, 8)), small_models.info("y", (1, 4, 8, 8))
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["h"], "first", pads=[1] * 4),
        helper.make_node("Conv", ["h", "w"], ["y"], "second", pads=[1] * 4),
    ]
    return small_models.model(nodes, [x], [y], [numpy_helper.from_array(first, "v"), numpy_helper.from_array(second, "w")])


def weights(factor: float = 1.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    return tuple((factor * rng.normal(size=(4, c, 3, 3))).astype(np.float32) for c in (3, 4))  # type: ignore[return-value]


def inputs(count: int = 6) -> dict[str, Array]:
    return {"x": np.random.default_rng(2).normal(size=(count, 3, 8, 8)).astype(np.float32)}


@pytest.mark.parametrize("with_data", [True, False])
def test_weights_beyond_half_precision_stay_in_float(with_data: bool) -> None:
    first, second = weights()
    model, x = convolutions(first, second * 1e5), inputs()
    made = edgeopt.compile(model, data=DataSet(x) if with_data else None, options=edgeopt.Options(quantize="fp16"))
    layers = {layer["layer"]: layer for layer in made.manifest["quantization"]["layers"]}
    assert layers["second"]["form"] == FLOAT and "half precision 65504" in layers["second"]["reason"]
    assert layers["first"]["form"] != FLOAT
    expected = edgeopt.compile(model).run(x)["y"]
    np.testing.assert_allclose(made.run(x)["y"], expected, rtol=0, atol=2e-3 * np.abs(expected).max())


def test_weights_that_half_precision_would_lose_stay_in_float() -> None:
    first, second = weights()
    budget = Budget(forms="fp16")
    _, found = approximate(load(convolutions(first, second * np.float32(1e-8))), budget, Context(), target("arm"))
    assert found is not None and [name.split("~")[0] for name in found.changed] == ["first"]
    (reason,) = found.refused.values()
    assert "its weights reach only" in reason and "half precision loses" in reason


def test_when_no_weight_fits_half_precision_it_says_so() -> None:
    _, found = approximate(load(convolutions(*weights(1e6))), Budget(forms="fp16"), Context(), target("arm"))
    assert found is not None and "no layer has another form" in found.summary() and not found.changed
    assert {layer["form"] for layer in record(found)["layers"]} == {FLOAT}


@pytest.mark.parametrize("scheme", ["w8a8", "w4", "fp16", "w1", "w8a8-dynamic", None])
def test_infinite_weights_are_not_quantised_but_named(scheme: str | None) -> None:
    first, second = weights()
    second[0, 0, 0, 0] = math.inf
    with pytest.raises(EdgeoptError, match="Conv 'second': its weight 'w' holds NaN or infinity, which cannot be approximated"):
        approximate(load(convolutions(first, second)), Budget(forms=scheme), Context(level=3), target("arm"))


def test_infinity_is_kept_where_nothing_is_quantised_and_nan_never() -> None:
    first, second = weights()
    second[0, 0, 1, 1] = math.inf
    x = {"x": np.ones((1, 3, 8, 8), np.float32)}
    for level in (0, 1, 2):
        made = edgeopt.compile(convolutions(first, second), level).run(x)["y"]
        assert not np.isfinite(made[0, 0]).any() and np.isfinite(made[0, 1:]).all()
        with pytest.raises(EdgeoptError, match="Conv 'first': its weight 'v' holds NaN"):
            edgeopt.compile(convolutions(first * math.nan, second), level)


@pytest.mark.parametrize("node", ["Gemm", "MatMul", "ConvTranspose"])
def test_nan_weights_are_named_in_every_product(node: str) -> None:
    spatial = node == "ConvTranspose"
    x = small_models.info("x", (1, 4, 5, 5) if spatial else (2, 4))
    weight = np.full((4, 3, 1, 1) if spatial else (4, 3), math.nan, np.float32)
    y = small_models.info("y", (1, 3, 5, 5) if spatial else (2, 3))
    made = small_models.model([helper.make_node(node, ["x", "w"], ["y"], "p")], [x], [y], [numpy_helper.from_array(weight, "w")])
    with pytest.raises(EdgeoptError, match=f"{node} 'p': its weight 'w' holds NaN"):
        edgeopt.compile(made, 1)


@pytest.mark.parametrize("with_data", [True, False])
def test_a_channel_of_zeros_stays_zero_in_one_bit(with_data: bool) -> None:
    first, second = weights()
    first[1] = 0.0
    second[3] = 0.0
    data = DataSet(inputs()) if with_data else None
    budget = Budget(data, forms="w1", max_drop=100.0)
    made, _ = approximate(load(convolutions(first, second)), budget, Context(), target("arm"))
    found = edgeopt.compile(made, 0).run(inputs())["y"]
    assert not found[:, 3].any() and found[:, :3].any(axis=(0, 2, 3)).all()


def test_a_budget_of_nothing_says_in_one_line_that_nothing_is_quantised() -> None:
    budget = Budget(DataSet(inputs(60)), forms="w1", max_drop=0.0)
    _, found = approximate(load(convolutions(*weights())), budget, Context(), target("arm"))
    assert found is not None and not found.changed and len(found.given_back) == 2 and found.after == found.before
    assert "left in float" in found.summary() and "within --max-drop 0" in found.summary() and "\n" not in found.summary()


def test_data_that_is_not_used_is_noted(tmp_path: Path) -> None:
    made = edgeopt.compile(DIGITS, 1, data=EVALUATION)
    assert any("nothing is measured on data" in note for note in made.manifest["notes"])
    result = command("compile", DIGITS, "-O1", "--data", EVALUATION, "--emit", "onnx", "-o", tmp_path / "digits.onnx")
    assert result.exit_code == 0 and "nothing is measured on data" in result.stderr


@pytest.mark.parametrize("more", [(), ("--emit", "onnx")])
def test_a_budget_that_is_no_number_is_refused(more: tuple[str, ...]) -> None:
    result = command("compile", DIGITS, "--quantize", "w8", "--max-drop", "nan", *more)
    assert result.exit_code == 2 and "Invalid value for '--max-drop': 'nan'" in result.stderr


def test_the_command_stops_at_chance_and_at_labels_from_one(tmp_path: Path) -> None:
    data = dict(np.load(EVALUATION))
    wrong = {
        "from-one": (np.minimum(data["labels"] + 1, 9), 1, "when 1 is subtracted from every label"),
        "shuffled": (np.random.default_rng(0).permutation(data["labels"]), 1, "--accept-chance goes on"),
        "one-hot": (np.eye(10, dtype=np.float32)[data["labels"]], 0, "the float model is right on 9"),
    }
    for name, (labels, code, message) in wrong.items():
        np.savez(tmp_path / f"{name}.npz", **{**data, "labels": labels})
        given = ("--data", tmp_path / f"{name}.npz", "--calibration", CALIBRATION, "-o", tmp_path / f"{name}.onnx")
        result = command("compile", DIGITS, "--quantize", "fp16", "--emit", "onnx", *given)
        assert result.exit_code == code and message in result.stderr, (name, result.stderr)
        assert (tmp_path / f"{name}.onnx").exists() == (code == 0)
