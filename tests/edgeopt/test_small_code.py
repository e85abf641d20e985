"""Code for few bytes: the same numbers by less of it, wanted by --prefer size; what is saved is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.compiler import _facts
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.pipeline import optimize
from edgeopt.runtime.object_code import stored_code
from edgeopt.target import Target, host, target
from tests.edgeopt.small_models import info, model

LEVEL = 2


def network() -> ModelProto:
    """Two convolutions of 3x3 and a product, of float weights."""
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(32, 16, 3, 3)), "b": rng.normal(size=(32, 32, 3, 3)), "c": rng.normal(size=(32, 10))}
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["u"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["u"], ["v"], "act"),
        helper.make_node("Conv", ["v", "b"], ["w"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["w"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "c"], ["y"], "last"),
    ]
    made = model(nodes, [info("x", [1, 16, 16, 16])], [info("y", [1, 10])])
    made.graph.initializer.extend(numpy_helper.from_array(0.1 * w.astype(np.float32), name) for name, w in weights.items())
    return made


def assembled(facts: Target, library: bool = False) -> edgeopt.CompiledModel:
    graph = load(network())
    optimize(graph, LEVEL)
    return assemble(graph, facts, LEVEL, library=library)


def image() -> Array:
    return np.random.default_rng(1).normal(size=(1, 16, 16, 16)).astype(np.float32)


def test_the_same_numbers_by_less_code(tmp_path: Path) -> None:
    fast, small = assembled(host()), assembled(replace(host(), small=True))
    assert 0 < stored_code(small.files) < 0.95 * stored_code(fast.files)
    small.save(tmp_path / "small")
    results = [made.run({"x": image()})["y"] for made in (fast, small, edgeopt.load(tmp_path / "small"))]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(results[2], results[1])


@pytest.mark.parametrize(
    ("prefer", "level", "small"), [("size", 3, True), ("speed", 3, False), (None, 3, False), ("size", 2, False)]
)
def test_whoever_prefers_few_bytes_has_small_code(prefer: Any, level: int, small: bool) -> None:
    assert _facts("host", edgeopt.Options(prefer=prefer), level).small == small
    assert _facts("cortex-m4", edgeopt.Options(prefer=prefer), level).small == small


@pytest.mark.parametrize("name", ["arm", "x86-64-v3", "cortex-m4"])
def test_other_processors_have_small_code_too(name: str) -> None:
    fast, small = (assembled(replace(target(name), small=small), library=True) for small in (False, True))
    assert len(small.files["libmodel.a"]) < len(fast.files["libmodel.a"])
