"""The compiled model: samples beyond the compiled batch, threads, and what it says about wrong inputs."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import host
from tests.edgeopt import small_models

X = np.random.default_rng(3).normal(size=(6, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return edgeopt.compile(small_models.convolution("N"))


@pytest.fixture(scope="module")
def expected(compiled: CompiledModel) -> Array:
    return np.concatenate([interpret(compiled.graph, {"x": x[None]})["y"] for x in X])


def test_one_sample(compiled: CompiledModel, expected: Array) -> None:
    np.testing.assert_allclose(compiled.run({"x": X[:1]})["y"], expected[:1], rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("threads", [1, 2])
def test_more_samples_than_the_compiled_batch(compiled: CompiledModel, expected: Array, threads: int) -> None:
    if threads > host().cores:
        pytest.skip("this machine has one core")
    np.testing.assert_allclose(compiled.run({"x": X}, threads=threads)["y"], expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_threads_give_the_same_bits_again_and_again(compiled: CompiledModel) -> None:
    if host().cores < 2:
        pytest.skip("this machine has one core")
    alone = compiled.run({"x": X})["y"]
    for _ in range(50):
        np.testing.assert_array_equal(compiled.run({"x": X}, threads=2)["y"], alone)


def test_a_closed_model_ends_its_threads() -> None:
    if host().cores < 2:
        pytest.skip("this machine has one core")
    model = edgeopt.compile(small_models.convolution())
    for _ in range(3):  # the first run of several threads times one
        model.run({"x": X[:1]}, threads=2)
    assert any(t.name.startswith("edgeopt-worker") for t in threading.enumerate())
    before = threading.active_count()
    del model
    assert threading.active_count() == before - 1


def test_a_strided_input_is_taken(compiled: CompiledModel, expected: Array) -> None:
    turned = np.ascontiguousarray(X.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(compiled.run({"x": turned})["y"], expected, rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "'x' is missing"),
        ({"x": X, "z": X}, "'z' is not an input"),
        ({"x": X.astype(np.float64)}, "float64, the model wants float32"),
        ({"x": X[:, :2]}, "do not fit the compiled shapes"),
        ({"x": X[0]}, "do not fit the compiled shapes"),
    ],
)
def test_wrong_inputs(compiled: CompiledModel, inputs: dict[str, Array], message: str) -> None:
    with pytest.raises(EdgeoptError, match=message):
        compiled.run(inputs)


def test_too_many_threads(compiled: CompiledModel) -> None:
    with pytest.raises(EdgeoptError, match="compiled for at most"):
        compiled.run({"x": X[:1]}, threads=host().cores + 1)


def test_another_target_does_not_run_here() -> None:
    model = edgeopt.compile(small_models.convolution(), target="cortex-a53")
    with pytest.raises(EdgeoptError, match="--emulate"):
        model.run({"x": X[:1]})
