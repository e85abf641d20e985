"""The TVM back end against numba's: the same program, its kernels in TIR. The extra itself is asked for before it is imported."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.codegen import tvm_extra
from edgeopt.codegen.backends import NUMBA, Backend, find_backend
from edgeopt.codegen.written import PLACE, Code, WrittenStep, written
from edgeopt.errors import EdgeoptError
from edgeopt.examine.exits import with_exits
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import export, load
from edgeopt.kernels.conv.conv_blocked import Direct
from edgeopt.kernels.stated import form_of
from edgeopt.lower.lowering import lower
from edgeopt.lower.program import Program
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import optimize
from edgeopt.runtime.object_code import code_of
from edgeopt.target import Target, target
from tests.edgeopt.bright_quarters import blobs, network
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.small_models import branches, convolution, feed, info, model
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

MODELS = (convolution, branches)


def installed(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    """Let these packages, and no others of the extra, be installed."""

    def version(package: str) -> str:
        if package not in versions:
            raise metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(metadata, "version", version)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {})
    with pytest.raises(EdgeoptError, match=r"needs apache-tvm, which is not installed: pip install 'edgeopt\[tvm\]'"):
        edgeopt.compile(convolution(), options=edgeopt.Options(backend="tvm"))


def test_every_command_that_writes_code_asks_for_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, {})
    file, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    onnx.save(convolution(), file)
    np.savez(data, x=np.zeros((40, 1, 3, 6, 5), np.float32))
    ways = {
        "compile": (file,),
        "compress": (file,),
        "tune": (file, "--train", data),
        "exits": (file, "--data", data),
        "partition": (file, "--tiers", "pc", "-o", tmp_path / "parts"),
    }
    for name, arguments in {**ways, "partition ": (file, "--split", "grid", "-o", tmp_path / "tiles")}.items():
        made = command(name.strip(), *map(str, arguments), "--backend", "tvm")
        assert (made.exit_code, made.stderr.count("needs apache-tvm, which is not installed")) == (1, 1), (name, made.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("bench",),
        ("explore",),
        ("partition", "--tiers", "pc"),
        ("compress", "--emit", "onnx"),
        ("compile", "--emit", "onnx"),
    ],
)
def test_a_back_end_where_no_code_is_written_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    made = command(*arguments, __file__, "--backend", "tvm")
    assert made.exit_code == 2 and "--backend" in made.stderr


def test_an_extra_of_other_versions_is_refused_before_it_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {**tvm_extra.VERSIONS, "apache-tvm-ffi": "0.1.15.post2"})
    with pytest.raises(EdgeoptError, match=r"needs apache-tvm-ffi 0.1.14.post0, and 0.1.15.post2 is installed"):
        find_backend("tvm")


def test_an_extra_that_dies_on_the_way_in_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise OSError("libtvm_runtime.so: cannot open\nshared object file")

    installed(monkeypatch, tvm_extra.VERSIONS)
    monkeypatch.setattr(tvm_extra, "import_module", broken)
    reason = "cannot be imported, OSError: libtvm_runtime.so: cannot open shared object file; install it again: pip install"
    with pytest.raises(EdgeoptError, match=reason):
        find_backend("tvm")


def test_a_model_is_compiled_without_importing_tvm() -> None:
    made = "edgeopt.compile(convolution())"
    text = f"import sys, edgeopt; from tests.edgeopt.small_models import convolution; {made}; sys.exit('tvm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0


def test_the_versions_are_those_that_the_extra_installs() -> None:
    wanted = [text for text in metadata.requires("edgeopt") or () if "tvm" in text]
    assert not wanted or {text.split(";")[0].strip() for text in wanted} == {f"{p}=={v}" for p, v in tvm_extra.VERSIONS.items()}


def test_an_unknown_back_end_is_wrong_usage() -> None:
    assert command("compile", __file__, "--backend", "llvm").exit_code == 2


class Sevens:
    """Every step writes 7 to its second operand."""

    name = "sevens"

    def build(self, program: Program, target: Target, library: bool = False) -> bytes:
        code = "  store float 7.0, ptr %p1\n  ret i32 0"
        text = f"define i32 @{PLACE}(ptr %r, ptr %e, ptr %p0, ptr %p1, i64 %begin, i64 %end) alwaysinline {{\n{code}\n}}\n"
        return NUMBA.build(replace(program, steps=[written(step, Code(text)) for step in program.native]), target, library)

    def record(self, program: Program, target: Target) -> dict[str, Any]:
        return {"name": self.name}


def test_a_step_runs_the_code_that_was_written_for_it() -> None:
    relu = model([helper.make_node("Relu", ["x"], ["y"])], [info("x", (1,))], [info("y", (1,))])
    x = {"x": np.array([2.0], np.float32)}
    assert assemble(load(relu), target("host")).run(x)["y"] == [2.0]
    assert assemble(load(relu), target("host"), backend=Sevens()).run(x)["y"] == [7.0]


@pytest.fixture(scope="module")
def tvm() -> Backend:
    pytest.importorskip("tvm")
    return find_backend("tvm")


@pytest.mark.parametrize("made", MODELS)
def test_both_back_ends_compute_the_same(tvm: Backend, made: Callable[[], ModelProto]) -> None:
    proto = made()
    usual, other = assemble(load(proto), target("host")), assemble(load(proto), target("host"), backend=tvm)
    record = other.manifest["backend"]
    assert record["name"] == "tvm" and record["own"] == record["steps"] and not record["rest"]
    assert record["translated"] < record["own"]  # forms that are stated are written, not translated
    assert code_of(other.files) != code_of(usual.files)
    for name, value in usual.run(feed(proto)).items():
        np.testing.assert_allclose(other.run(feed(proto))[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())


def test_exits_and_parts_have_its_code_throughout(tvm: Backend, tmp_path: Path) -> None:
    file, data = tmp_path / "blobs.onnx", blobs(400, 1)
    onnx.save(network(), file)
    found, early = with_exits(file, data, blobs(300, 2), Goal(3.0), backend="tvm")
    assert found is not None and early is not None
    assert early.manifest["backend"]["name"] == "tvm" and not early.manifest["backend"]["rest"]
    x = {"x": data.arrays["x"][:1]}
    for name, value in assemble(early.graph, target("host")).run(x).items():
        np.testing.assert_allclose(early.run(x)[name], value, rtol=1e-4, atol=1e-5)
    made = command("partition", file, "--split", "grid", "--backend", "tvm", "-o", tmp_path / "tiles")
    assert made.exit_code == 0, made.stderr
    parts = [edgeopt.load(folder).manifest["backend"]["name"] for folder in (tmp_path / "tiles").glob("*.edgeopt")]
    assert len(parts) == 5 and set(parts) == {"tvm"}


def test_signed_codes_are_brought_to_the_range_of_the_product(tvm: Backend) -> None:
    rng = np.random.default_rng(5)
    weight = rng.integers(-127, 128, (64, 32)).astype(np.int8)
    numbers = {"s": np.float32(0.02), "z": np.int8(3), "w": weight, "t": np.float32(0.01), "o": np.int8(0), "u": np.float32(0.5)}
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    node = helper.make_node("QLinearMatMul", ["x", "s", "z", "w", "t", "o", "u", "z"], ["y"])
    proto = model([node], [info("x", (8, 64), TensorProto.INT8)], [info("y", (8, 32), TensorProto.INT8)], constants)
    made = []
    for backend in (NUMBA, tvm):
        graph = load(proto)
        optimize(graph, 1)
        made.append(assemble(graph, target("host"), backend=backend))
    assert not {"quant_dot._flip", "quant_dot._widen"} & set(made[1].manifest["backend"]["rest"])
    assert {"quant_dot._flip", "quant_dot._widen"} & {kernel["kernel"] for kernel in made[1].manifest["kernels"]}
    x = {"x": rng.integers(-128, 128, (8, 64)).astype(np.int8)}
    np.testing.assert_array_equal(made[1].run(x)["y"], made[0].run(x)["y"])


@pytest.mark.parametrize("kind", ["Gelu", "Sigmoid", "Silu", "Tanh", "HardSwish"])
def test_activations_end_where_they_are_level(tvm: Backend, kind: str) -> None:
    draft, numbers = Draft(Seeded(1)), [-1e30, -1e6, -90, -6, -5.4, -1e-3, 0, 1e-3, 0.7, 5.6, 90, 1e6, 1e30, np.nan]
    factors = draft.constant(np.full((1, 16), 1)), draft.constant(np.zeros(16))
    proto = export(closed(draft, draft.own("FusedGemm", draft.input((len(numbers), 1)), *factors, activation=kind)))
    (x,) = proto.graph.input
    given = {x.name: np.array(numbers, np.float32)[:, None]}
    usual, other = (assemble(load(proto), target("host"), backend=each).run(given) for each in (NUMBA, tvm))
    for name, value in usual.items():
        np.testing.assert_allclose(other[name], value, rtol=1e-5, atol=1e-6)


def test_sums_of_a_tile_stay_whole_vectors(tvm: Backend) -> None:
    """Taken apart into lanes, LLVM puts them together as it likes: all twenty as one vector, which it spills."""
    from edgeopt.codegen.tvm_backend import TvmBackend

    draft, where = Draft(Seeded(1)), target("x86-64-v4")
    product = draft.op("Conv", draft.input((1, 64, 7, 7)), draft.constant(np.ones((256, 64, 1, 1))))
    graph = closed(draft, draft.op("Add", product, draft.input((1, 256, 7, 7))))
    optimize(graph, 1)
    program = TvmBackend().rewritten(lower(graph, where, "network", kernels_for(1)), where)
    (step,) = (step for step in program.native if step.call.full_name == "conv_blocked.convolve")
    form = form_of(step.call.function)
    assert isinstance(form, Direct) and form.tile.residual and len(form.tile.pixels) * len(form.tile.vectors) == 20
    assert isinstance(step, WrittenStep) and set(re.findall(r"<\d+ x float>", step.named_text)) == {"<16 x float>"}
    assert step.named_text.count("!llvm.loop") == len(form.tile.loops)  # and LLVM makes no longer loops of these


def test_code_for_another_processor_is_one_object_too(tvm: Backend) -> None:
    made = assemble(load(convolution()), target("arm"), symbol="small", library=True, backend=tvm)
    assert made.manifest["backend"]["own"] > 0
    assert b"small_run" in bytes(made.files["libmodel.a"])
