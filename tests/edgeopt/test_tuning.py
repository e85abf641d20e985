"""Measured choices: they serve the node with the right numbers, and are remembered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

import edgeopt
from edgeopt.cache import keep, read
from edgeopt.codegen import tuned as tuning
from edgeopt.codegen.build import build
from edgeopt.cost.suite import Network
from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import TensorType
from edgeopt.kernels.call import Declined, Input, Kernel, KernelCall, Output, Packed, Site, Tensor
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.runtime.manifest import describe
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import CODE
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.target import host, target


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache."""
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path))
    return tmp_path / "edgeopt" / "tuning"


def network(side: int = 10) -> ModelProto:
    """A strided and an ordinary 3x3 convolution."""
    made = Network("two")
    made.conv(made.conv(made.input(1, 16, side, side), 16, 32, 3, 2), 32, 32, 3)
    return made.model()


def test_tuned_models_compute_the_same(cache: Path) -> None:
    x = {"x0": np.random.default_rng(0).standard_normal((1, 16, 10, 10)).astype(np.float32)}
    (expected,) = interpret(load(network()), x).values()
    compiled = edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True))
    assert compiled.manifest["tuning"] == {"calls": 2, "measured": 2}
    np.testing.assert_allclose(next(iter(compiled.run(x).values())), expected, rtol=1e-4, atol=1e-4)


def test_choices_are_remembered_and_followed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True))
    files = sorted(cache.iterdir())
    assert len(files) == 2
    monkeypatch.setattr(tuning, "measure", lambda *_: pytest.fail("measured again"))
    again = edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True))
    assert again.manifest["tuning"] == {"calls": 2, "measured": 0}
    for file in files:  # the slowest first: what the entry says is what happens
        entry = f"tuning/{file.name}"
        keep(entry, json.dumps(json.loads(read(entry) or b"")[::-1]).encode())
    reversed_ = edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True))
    assert [k["kernel"] for k in reversed_.manifest["kernels"]] != [k["kernel"] for k in again.manifest["kernels"]]


@pytest.mark.parametrize(
    "content",
    ["", "{", "null", "7", '"x"', "[]", "[7]", "[[1, 2]]", '[["conv_blocked", 3, 1.0]]', '[["conv_blocked", [[]], 1.0]]',
     '[["conv_blocked", [], "soon"]]', '[["none", [], 1.0]]', '{"a": 1}'],
)  # fmt: skip
def test_what_is_no_ranking_is_measured_anew(cache: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(tuning, "measure", lambda site, options, target: [float(i) for i, _ in enumerate(options)])
    edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True))
    for file in cache.iterdir():
        keep(f"tuning/{file.name}", content.encode())
    assert edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True)).manifest["tuning"]["measured"] == 2
    assert edgeopt.compile(network(), level=2, options=edgeopt.Options(tune=True)).manifest["tuning"]["measured"] == 0


def _nothing(x: Any, w: Any, y: Any, begin: int, end: int, count: int) -> None:
    """A kernel function that is never run."""


def _gemm(zeros: int) -> Site:
    """A product by a matrix in which the first ``zeros`` numbers are zero."""
    made = Network("dense")
    made.dense(made.input(1, 24), 24, 8)
    graph = load(made.model())
    node = next(n for n in graph.nodes if n.op == "Gemm")
    x, y, w = TensorType("float32", (1, 24)), TensorType("float32", (1, 8)), TensorType("float32", (24, 8))
    array = np.ones((24, 8), np.float32)
    array.flat[:zeros] = 0
    return Site(node, (Tensor(x), Tensor(w, array=array)), (Tensor(y),), host())


def test_what_depends_on_the_values_of_constants_is_measured_for_each(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that packs only what is not zero: equal shapes, other work."""

    def sparse(site: Site) -> tuple[KernelCall, ...]:
        kept = site.constant(1).ravel()
        return (KernelCall(_nothing, (Input(0), Packed(kept[kept != 0]), Output()), (len(kept),)),)

    monkeypatch.setattr(tuning, "measure", lambda *_: pytest.fail("one option needs no measurement"))
    kernel = Kernel("sparse", ("Gemm",), sparse, choices=lambda site: [])
    tuner = tuning.Tuner(host(), [kernel])
    for zeros in (0, 5, 5):
        tuner(kernel, _gemm(zeros))
    assert tuner.measured == 2


@pytest.mark.parametrize(("name", "index"), [*(("conv_blocked", i) for i in range(3)), *(("conv_winograd", i) for i in range(4))])
def test_every_choice_computes_the_same(name: str, index: int) -> None:
    """Choices are taken by force, whether they are fast or not."""

    def forced(kernel: Kernel, site: Site) -> tuple[KernelCall, ...]:
        if kernel.choices is None:
            return kernel.select(site)
        choices = kernel.choices(site)
        if kernel.name != name or index >= len(choices):
            raise Declined("it is not the one under test")
        return kernel.select(Site(site.node, site.inputs, site.outputs, site.target, choices[index]))

    made = Network("one")
    made.conv(made.input(1, 20, 13, 13), 20, 40, 3)
    graph, x = load(made.model()), {"x0": np.random.default_rng(1).standard_normal((1, 20, 13, 13)).astype(np.float32)}
    expected = interpret(graph, x)
    program = lower(graph, host(), "edgeopt_model", kernels_for(2), forced)
    assert any(step.call.function.__module__.endswith(name) for step in program.native)
    files: dict[str, bytes | memoryview] = {WEIGHTS: program.weights, CODE: build(program, host())}
    found = CompiledModel(describe(graph, program, host(), 2, {}), files, graph).run(x)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-4)


def test_a_kernel_without_choices_keeps_its_rule(cache: Path) -> None:
    made = Network("dense")
    made.dense(made.input(1, 24), 24, 8)
    assert edgeopt.compile(made.model(), options=edgeopt.Options(tune=True)).manifest["tuning"] == {"calls": 0, "measured": 0}


def test_other_machines_cannot_be_timed() -> None:
    with pytest.raises(EdgeoptError, match="cannot be timed"):
        edgeopt.compile(network(), target=target("cortex-a76"), options=edgeopt.Options(tune=True))
