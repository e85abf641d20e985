"""The compiled model: samples beyond the compiled batch, threads, and what it says about wrong inputs."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from onnx import helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.runtime.express import MOST_BYTES
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


def test_a_short_call_gives_the_same_as_a_long_one(expected: Array) -> None:
    """Arrays that may not be written to, or hold more samples, are looked at one by one; results are the caller's own."""
    model, read_only = edgeopt.compile(small_models.convolution("N")), X[:1].copy()
    read_only.flags.writeable = False
    long = model.run({"x": read_only})["y"]
    assert model._express is not None and model._express({"x": read_only}) is None
    first, second = (model.run({"x": x[None].copy()})["y"] for x in X[:2])
    np.testing.assert_array_equal(first, long)
    np.testing.assert_array_equal(model.run({"x": X[:2]})["y"], np.concatenate([first, second]))
    assert first.flags.owndata and not np.shares_memory(first, second)
    for wrong in ({"x": X[:1].astype(np.float64)}, {"x": X[:1, :, ::-1]}, {"y": X[:1]}, {"x": X[:1], "y": X[:1]}):
        assert model._express(wrong) is None


def test_several_threads_of_the_caller_get_their_own_results() -> None:
    model, wrong = edgeopt.compile(small_models.convolution("N")), list[int]()
    wanted = [model.run({"x": x[None].copy()})["y"] for x in X]

    def call(first: int) -> None:
        for which in range(first, first + 300):
            x = X[which % len(X)][None].copy()
            if not np.array_equal(model.run({"x": x})["y"], wanted[which % len(X)]):
                wrong.append(which)

    callers = [threading.Thread(target=call, args=(first,)) for first in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_outputs_of_many_bytes_are_not_copied() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    shape = (1, 1 + MOST_BYTES // 4)
    model = edgeopt.compile(small_models.model([node], [small_models.info("x", shape)], [small_models.info("y", shape)]))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(model.run({"x": x})["y"], np.maximum(x, 0))
    assert model._express is None


def test_another_target_does_not_run_here() -> None:
    model = edgeopt.compile(small_models.convolution(), target="cortex-a53")
    with pytest.raises(EdgeoptError, match="--emulate"):
        model.run({"x": X[:1]})
