"""The interpreter against onnxruntime, and its errors."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from tests.edgeopt import small_models
from tests.edgeopt.runtime_oracle import run


@pytest.mark.parametrize("name", small_models.ALL)
@pytest.mark.parametrize("seed", [0, 1])
def test_interpret_agrees_with_onnxruntime(name: str, seed: int) -> None:
    model = small_models.ALL[name]()
    inputs = small_models.feed(model, seed)
    expected, actual = run(model, inputs), interpret(load(model), inputs)
    assert list(actual) == list(expected)
    for output, array in expected.items():
        assert actual[output].dtype == array.dtype
        np.testing.assert_allclose(actual[output], array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flag", [True, False])
def test_both_branches_of_an_if(flag: bool) -> None:
    model = small_models.branches()
    inputs = {**small_models.feed(model), "flag": np.asarray(flag)}
    np.testing.assert_array_equal(interpret(load(model), inputs)["y"], run(model, inputs)["y"])


def test_a_loop_that_never_runs_gives_an_empty_stack() -> None:
    graph = load(small_models.loop())
    count = next(v for v in graph.constants if v.name == "count")
    count.load, count._array = None, np.asarray(0, np.int64)
    outputs = interpret(graph, {"x": np.ones(3, np.float32)})
    assert outputs["all"].shape == (0, 3)
    np.testing.assert_array_equal(outputs["last"], np.ones(3, np.float32))


def test_intermediate_values_and_constants_can_be_kept() -> None:
    model = small_models.convolution()
    kept = interpret(load(model), small_models.feed(model), keep=["r", "w"])
    assert list(kept) == ["y", "r", "w"]
    assert kept["r"].min() == 0.0


@pytest.mark.parametrize(
    ("inputs", "keep", "message"),
    [
        ({}, (), r"missing or unknown: \['x'\]"),
        ({"x": np.zeros((1, 3, 8, 8))}, (), "input 'x' is float64, the graph wants float32"),
        ({"x": np.zeros((1, 3, 8, 8), np.float32)}, ("nothing",), "no value 'nothing' to keep"),
        ({"x": np.zeros((1, 2, 8, 8), np.float32)}, (), "Conv 'conv' cannot be evaluated"),
    ],
)
def test_wrong_calls_are_one_clear_error(inputs: dict[str, np.ndarray], keep: tuple[str, ...], message: str) -> None:
    with pytest.raises(EdgeoptError, match=message):
        interpret(load(small_models.convolution()), inputs, keep)
