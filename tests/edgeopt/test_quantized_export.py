"""Quantised files as their readers take them: integer kernels in onnxruntime and OpenVINO, nothing in float for accelerators."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import edgeopt as compiler
from benchmarks.executed_types import by_onnxruntime, by_openvino
from edgeopt.evaluate.data import generated
from edgeopt.forms.quantize.export_grids import float_nodes
from edgeopt.frontend import load, save
from edgeopt.frontend.notes import notes
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.run import approximate
from edgeopt.target import target
from tests.edgeopt.command_line import DIGITS, EXAMPLES, edgeopt

CALIBRATION = EXAMPLES / "digits.cal.npz"
RESIDUAL = """<ir_version: 8, opset_import: ["" : 17]> residual (float[1,8,8,8] x) => (float[1,5] y)
  <float[16,8,3,3] w0, float[16] b0, float[16,16,3,3] w1, float[16] b1, float[16,16,1,1] w2, float[16,5] w3> {
  a0 = Conv<pads = [1,1,1,1]>(x, w0, b0) a = Relu(a0)
  c = Conv<pads = [1,1,1,1]>(a, w1, b1) s = Add(c, a) d = Relu(s)
  e = Conv(d, w2) f = Concat<axis = 1>(e, a) g = AveragePool<kernel_shape = [2,2], strides = [2,2]>(f)
  h = Slice(g, zero, sixteen, one) p = GlobalAveragePool(h) q = Flatten(p) y = MatMul(q, w3) }"""


def exported(folder: Path, profile: str) -> Path:
    path = folder / "digits.onnx"
    given = ("--quantize", "w8a8", "--emit", "onnx", "--profile", profile, "--calibration", CALIBRATION, "-o", path)
    result = edgeopt("compile", DIGITS, *given)
    assert result.exit_code == 0, result.stderr
    return path


def residual_network(folder: Path, profile: str) -> Path:
    model = onnx.parser.parse_model(RESIDUAL)
    random = np.random.default_rng(0)
    for name, shape in {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.value_info}.items():
        model.graph.initializer.append(numpy_helper.from_array(random.normal(0, 0.2, shape).astype(np.float32), name))
    for name, number in (("zero", 0), ("one", 1), ("sixteen", 16)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([number]), name))
    graph = load(model)
    data = generated(graph, 24)
    budget = Budget(data, data, 100.0, "w8a8", method="minmax", profile=profile)
    graph, _ = approximate(graph, budget, Context(), target("host"), "standard")
    save(graph, folder / "residual.onnx", portable=True)
    return folder / "residual.onnx"


@pytest.mark.parametrize("profile", ["x86", "arm"])
@pytest.mark.parametrize("network", [exported, residual_network])
def test_onnxruntime_runs_every_layer_in_integers(tmp_path: Path, profile: str, network: object) -> None:
    pytest.importorskip("onnxruntime")
    path = network(tmp_path, profile)  # type: ignore[operator]
    ops = by_onnxruntime(path, tmp_path / "optimized.onnx")
    assert ops["QLinearConv"] >= 2
    assert not {"Conv", "FusedConv", "Gemm", "MatMul", "Add", "Relu"} & ops.keys(), ops
    assert path.name != "residual.onnx" or ops["QLinearAdd"] == ops["QLinearConcat"] == 1


def test_openvino_runs_every_layer_in_integers(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    types = by_openvino(residual_network(tmp_path, "x86"))
    layers = [(kind, name) for kind, name in types if kind in ("Convolution", "FullyConnected")]
    assert len(layers) >= 2 and all(name.lower().endswith("_i8") for _, name in layers), types


def test_an_accelerator_gets_one_static_integer_graph(tmp_path: Path) -> None:
    path = exported(tmp_path, "npu-per-tensor")
    model = onnx.load(path)
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    rounding = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert {arrays[n.input[1]].size for n in rounding} == {1}
    assert all(not arrays[n.input[2]].any() for n in rounding)
    assert Counter(arrays[n.input[2]].dtype.name for n in rounding).keys() == {"int8", "int32"}
    assert float_nodes(load(path)) == []
    before = {o: n.op_type for n in model.graph.node for o in n.output}
    assert all(before[o.name] == "DequantizeLinear" for o in model.graph.output)


def test_what_stays_in_float_is_named() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> islands (float[1,2,2,2] x) => (float[1,2,2,2] y)
      <float[2,2,1,1] w = {0.5, 0.25, -0.5, 0.5}, float[2,2] window = {0.5, 1, 1, 0.5}> { m = Mul(x, window) y = Conv(m, w) }"""
    graph = load(onnx.parser.parse_model(text))
    data, name = generated(graph, 16), graph.nodes[0].name
    budget = Budget(data, data, 100.0, "w8a8", method="minmax", profile="npu-per-tensor")
    graph, _ = approximate(graph, budget, Context(), target("host"), "standard")
    assert float_nodes(graph) == [name]
    assert f"left in float: {name}" in notes(graph)


def test_the_exported_file_decides_as_it_does_here(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = exported(tmp_path, "x86")
    session, ours = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), compiler.compile(path)
    images = np.load(EXAMPLES / "digits.eval.npz")["image"][:64]
    theirs = [np.argmax(session.run(None, {"image": x[None]})[0]) for x in images]
    results = [np.argmax(next(iter(ours.run({"image": x[None]}).values()))) for x in images]
    assert np.mean(np.array(theirs) == results) > 0.95


def test_a_profile_belongs_to_a_file() -> None:
    result = edgeopt("compile", DIGITS, "--profile", "x86")
    assert result.exit_code == 2 and "--emit onnx" in result.stderr


def test_an_unknown_profile_lists_those_there_are() -> None:
    result = edgeopt("compile", DIGITS, "--quantize", "w8a8", "--emit", "onnx", "--profile", "dsp")
    assert result.exit_code == 1 and "npu-per-tensor" in result.stderr
