"""An artifact holds each tensor once, runs to the same bits, and says where its bytes are."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.examine.stored_bytes import stored_bytes
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt import small_models
from tests.edgeopt.command_line import answered
from tests.edgeopt.command_line import edgeopt as command

RNG = np.random.default_rng(11)
X = RNG.standard_normal((1, 32, 14, 14)).astype(np.float32)
SHAPES = {"w3": (64, 32, 3, 3), "w1": (40, 64, 1, 1), "wg": (40, 10, 3, 3), "wm": (40, 24), "wn": (24, 40)}


def network(values: Any) -> onnx.ModelProto:
    """A 3x3, a 1x1 of uneven channels, a grouped convolution, pooling, Gemm both ways round."""
    tensors = {name: values(shape).astype(np.float32) for name, shape in SHAPES.items()}
    nodes = [
        helper.make_node("Conv", ["x", "w3"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"]),
        helper.make_node("Conv", ["c", "wg"], ["d"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "wm"], ["g"]),
        helper.make_node("Gemm", ["g", "wn"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", X.shape), ("y", (1, 40)))]
    stored = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "stored", ports[:1], ports[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return edgeopt.compile(network(lambda shape: RNG.standard_normal(shape) * 0.05), level=2)


@pytest.fixture
def saved(compiled: CompiledModel, tmp_path: Path) -> Path:
    compiled.save(tmp_path / "net")
    return tmp_path / "net"


def test_what_is_loaded_is_the_same_bits(compiled: CompiledModel, saved: Path) -> None:
    again = edgeopt.load(saved)
    assert any("winograd" in kernel["kernel"] for kernel in again.manifest["kernels"])
    assert bytes(again.weights) == bytes(compiled.weights)
    np.testing.assert_array_equal(again.run({"x": X})["y"], compiled.run({"x": X})["y"])
    for old, new in zip(compiled.graph.constants, again.graph.constants, strict=True):
        assert (old.name, old.array.tobytes()) == (new.name, new.array.tobytes())


@pytest.mark.parametrize("form", ["w8", "fp16"])
def test_weights_in_few_bits_are_stored_once(form: str, tmp_path: Path) -> None:
    """Kernels that widen them have them in another order than the ONNX model."""
    made = edgeopt.compile(network(lambda shape: RNG.standard_normal(shape) * 0.05), 2, options=edgeopt.Options(quantize=form))
    made.save(tmp_path / "net")
    tensors, kernels = stored_bytes(tmp_path / "net").tensors, {kernel["kernel"] for kernel in made.manifest["kernels"]}
    assert {"hybrid_winograd.kernel", "hybrid_gemm.multiply"} <= kernels
    assert not [tensor.name for tensor in tensors if not tensor.loaded]
    again = edgeopt.load(tmp_path / "net")
    np.testing.assert_array_equal(again.run({"x": X})["y"], made.run({"x": X})["y"])
    for old, new in zip(made.graph.constants, again.graph.constants, strict=True):
        assert (old.name, old.array.tobytes()) == (new.name, new.array.tobytes())


def test_every_tensor_is_stored_once(saved: Path) -> None:
    found = stored_bytes(saved)
    assert sum(tensor.stored for tensor in found.tensors) < 0.93 * sum(4 * np.prod(s) for s in SHAPES.values())
    assert (saved / "model.onnx").stat().st_size < 3000
    assert (saved / "weights.bin").stat().st_size < 0.93 * (found.source or 0)
    assert found.total == sum(path.stat().st_size for path in saved.iterdir())
    assert found.memory["weights"] > 64 * 32 * 36 * 4  # as the kernel reads them


def integers() -> onnx.ModelProto:
    """QLinearConv of 32 to 48 channels, in two groups, and QLinearMatMul."""
    tensors = {
        "w": RNG.integers(-127, 128, (48, 16, 3, 3)).astype(np.int8),
        "m": RNG.integers(-127, 128, (48, 40)).astype(np.int8),
    }
    grids = {"s": np.float32(0.02), "z": np.uint8(128), "t": np.float32(0.01), "o": np.int8(0), "u": np.float32(0.1)}
    scale = ["s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *scale], ["q"]),
        helper.make_node("QLinearConv", ["q", *scale, "w", "t", "o", "u", "z"], ["c"], group=2, pads=[1, 1, 1, 1]),
        helper.make_node("DequantizeLinear", ["c", "u", "z"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("QuantizeLinear", ["f", *scale], ["g"]),
        helper.make_node("QLinearMatMul", ["g", *scale, "m", "t", "o", "u", "z"], ["h"]),
        helper.make_node("DequantizeLinear", ["h", "u", "z"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", X.shape), ("y", (1, 40)))]
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in {**tensors, **grids}.items()]
    graph = helper.make_graph(nodes, "integers", ports[:1], ports[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_integer_weights_are_stored_once(tmp_path: Path) -> None:
    model = edgeopt.compile(integers(), level=2)
    model.save(tmp_path / "net")
    again = edgeopt.load(tmp_path / "net")
    large = [about for about in again.manifest["storage"]["constants"] if about["bytes"] in (48 * 16 * 9, 48 * 40)]
    assert len(large) == 2 and all(about["block"] is not None for about in large)
    np.testing.assert_array_equal(again.run({"x": X})["y"], model.run({"x": X})["y"])
    made = [about["name"] for about in again.manifest["storage"]["tensors"]]
    assert not any(re.match(r"c~\d", name) for name in made), made  # but numbers: what they belong to is said
    for old, new in zip(model.graph.constants, again.graph.constants, strict=True):
        assert (old.name, old.array.tobytes()) == (new.name, new.array.tobytes())


def test_few_values_take_few_bits(tmp_path: Path) -> None:
    few = np.array([-0.1, -0.05, 0.01, 0.04, 0.1])  # no zeros, which would be left out instead
    model = edgeopt.compile(network(lambda shape: RNG.choice(few, shape, p=[0.05, 0.1, 0.7, 0.1, 0.05])), level=2)
    model.save(tmp_path / "few")
    tensor = next(t for t in stored_bytes(tmp_path / "few").tensors if t.elements == 64 * 32 * 9)
    assert tensor.bits < 1.6 and "symbols" in tensor.coding
    np.testing.assert_array_equal(edgeopt.load(tmp_path / "few").run({"x": X})["y"], model.run({"x": X})["y"])


def test_biases_that_kernels_fill_up_are_stored_once(tmp_path: Path) -> None:
    made = edgeopt.compile(_gemm(300), 1)
    made.save(tmp_path / "net")
    assert all(constant["entry"] is None for constant in made.manifest["storage"]["constants"])
    tensors = [numpy_helper.to_array(t) for t in edgeopt.load(tmp_path / "net").onnx().graph.initializer]
    assert any(np.array_equal(tensor, np.arange(300, dtype=np.float32)) for tensor in tensors)


def _gemm(outputs: int) -> onnx.ModelProto:
    weight, bias = RNG.standard_normal((16, outputs)).astype(np.float32), np.arange(outputs, dtype=np.float32)
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 16)), ("y", (1, outputs)))]
    stored = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph([helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "gemm", ports[:1], ports[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_saving_what_was_loaded_writes_the_same_files(saved: Path, tmp_path: Path) -> None:
    again = edgeopt.load(saved)
    again.run({"x": X})
    again.save(tmp_path / "copy")
    for path in saved.iterdir():
        assert path.read_bytes() == (tmp_path / "copy" / path.name).read_bytes(), path.name


def test_without_its_onnx_a_model_runs_and_says_what_it_lacks(compiled: CompiledModel, tmp_path: Path) -> None:
    options = edgeopt.Options(onnx=False)
    edgeopt.compile(network(lambda shape: np.ones(shape)), level=2, options=options).save(tmp_path / "net")
    again = edgeopt.load(tmp_path / "net")
    assert not (tmp_path / "net" / "model.onnx").exists() and again.run({"x": X})["y"].shape == (1, 40)
    with pytest.raises(EdgeoptError, match="--no-onnx"):
        _ = again.graph


def test_other_runtimes_refuse_an_onnx_without_its_weights(saved: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    with pytest.raises(Exception, match="packed by edgeopt"):
        runtime.InferenceSession(saved / "model.onnx")
    with pytest.raises(EdgeoptError, match="lies coded in the compiled model"):
        edgeopt.compile(saved / "model.onnx")
    again = edgeopt.load(saved)
    onnx.save(again.onnx(), tmp_path / "whole.onnx")
    (found,) = runtime.InferenceSession(tmp_path / "whole.onnx").run(None, {"x": X})
    np.testing.assert_allclose(found, again.run({"x": X})["y"], rtol=1e-3, atol=1e-5)


def test_host_steps_need_the_onnx() -> None:
    with pytest.raises(EdgeoptError, match="without --no-onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        edgeopt.compile(small_models.loop(), level=0, options=edgeopt.Options(onnx=False))


def test_raw_weights_lie_as_they_are_read(tmp_path: Path) -> None:
    model = edgeopt.compile(network(lambda shape: np.ones(shape)), level=2, options=edgeopt.Options(weights="raw"))
    model.save(tmp_path / "net")
    assert (tmp_path / "net" / "weights.bin").read_bytes() == bytes(model.weights)
    onnx.checker.check_model(str(tmp_path / "net" / "model.onnx"))
    np.testing.assert_array_equal(edgeopt.load(tmp_path / "net").run({"x": X})["y"], model.run({"x": X})["y"])


def test_a_damaged_file_of_weights_is_one_message(saved: Path) -> None:
    again = edgeopt.load(saved)
    whole = bytes(again.files["weights.bin"])
    for broken in (whole[:60], whole[:1000], b"", whole[:-400], bytes(64) + whole[64:]):
        again.files["weights.bin"] = broken
        with pytest.raises(EdgeoptError, match="weights"):
            _ = again.weights


def test_the_command_says_where_bytes_go(saved: Path) -> None:
    found = answered(command("inspect", saved, "--bytes", "--json"))
    assert found["total"] == sum(path.stat().st_size for path in saved.iterdir())
    shown = command("inspect", saved, "--bytes").stdout
    assert "w3" in shown and "model.o.xz" in shown and f"{found['total']:,} bytes" in shown


LAYERS: dict[str, tuple[str, tuple[int, ...], dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "over a volume": ("Conv", (1, 16, 5, 6, 6), {"w": (24, 16, 3, 3, 3)}, {"pads": [1] * 6}),
    "transposed": ("ConvTranspose", (1, 32, 6, 6), {"w": (32, 16, 4, 4)}, {"strides": [2, 2], "pads": [1] * 4}),
    "of an image": ("Conv", (1, 3, 24, 24), {"w": (40, 3, 5, 5)}, {"strides": [2, 2]}),
    "depthwise": ("Conv", (1, 40, 12, 12), {"w": (40, 1, 5, 5)}, {"group": 40}),
    "LSTM": ("LSTM", (4, 1, 24), {"w": (1, 80, 24), "r": (1, 80, 20)}, {"hidden_size": 20}),
    "GRU": ("GRU", (4, 1, 24), {"w": (1, 60, 24), "r": (1, 60, 20)}, {"hidden_size": 20, "linear_before_reset": 1}),
    "GRU, reset before": ("GRU", (4, 1, 24), {"w": (1, 60, 24), "r": (1, 60, 20)}, {"hidden_size": 20}),
    "RNN": ("RNN", (4, 1, 24), {"w": (1, 20, 24), "r": (1, 20, 20)}, {"hidden_size": 20}),
}


@pytest.mark.parametrize("case", LAYERS)
def test_layers_of_every_kind_are_stored_once(case: str, tmp_path: Path) -> None:
    op, shape, shapes, attributes = LAYERS[case]
    tensors = {name: RNG.standard_normal(dims).astype(np.float32) for name, dims in shapes.items()}
    stored = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    node = helper.make_node(op, ["x", *tensors], ["y"], **attributes)
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph([node], "layer", ports[:1], ports[1:], stored)
    edgeopt.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), 2).save(tmp_path / "net")
    again = edgeopt.load(tmp_path / "net")
    assert not [tensor for tensor in again.manifest["storage"]["tensors"] if not tensor["loaded"]]
    held = [numpy_helper.to_array(tensor).tobytes() for tensor in again.onnx().graph.initializer]
    assert all(array.tobytes() in held for array in tensors.values())
