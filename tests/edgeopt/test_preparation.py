"""Raw pixels as the input of a model: the same decisions as the original on prepared images, on the host and in C."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, save

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.examine.originals import original_runner
from edgeopt.examine.raw_inputs import on_raw_inputs
from edgeopt.frontend.preparation import Preparation, parse_preparation
from edgeopt.ir import Array
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS, EVALUATION, answered
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.emulation import needs_tool

MEANS, SCALES = (123.675, 116.28, 103.53), (0.0171, 0.0175, 0.0174)
TEXT = "uint8,nhwc,mean=123.675,116.28,103.53,scale=0.0171,0.0175,0.0174"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    save(small_models.convolution(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def pixels(*shape: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def by_hand(image: Array) -> Array:
    """[N, H, W, C] of bytes as the network takes it."""
    made = (image.astype(np.float64) - np.array(MEANS)) * np.array(SCALES)
    return np.ascontiguousarray(made.transpose(0, 3, 1, 2)).astype(np.float32)


def test_what_is_asked_for() -> None:
    assert parse_preparation(TEXT) == Preparation("uint8", "nhwc", MEANS, SCALES)
    assert parse_preparation("uint8,nchw,mean=128,std=64").scale == (1 / 64,)
    assert parse_preparation("frame=480x640,crop=480x480").crop == (480, 480)
    odd = (
        "mean=nan",
        "mean=1e999",
        "mean=1e300",
        "scale=0",
        "scale=1,inf,1",
        "std=1,0,1",
        "std=1e-50",
        "nhwc,nchw",
        "frame=\u00b2x4",
    )
    for wrong in ("uint9", "mean=a", "frame=4", "scale=1,std=1", "mean=1,foo", *odd):
        with pytest.raises(EdgeoptError):
            parse_preparation(wrong)


def test_a_camera_buffer_is_the_input_and_borders_are_right(network: Path) -> None:
    made = edgeopt.compile(network, options=edgeopt.Options(inputs={"x": TEXT}))
    port = made.manifest["inputs"][0]
    assert (port["name"], port["dtype"], port["shape"]) == ("x", "uint8", [1, 8, 8, 3])
    image = pixels(4, 8, 8, 3)
    run = original_runner(network)[1]
    expected = np.concatenate([run({"x": by_hand(image[k : k + 1])})["y"] for k in range(4)])
    np.testing.assert_allclose(made.run({"x": image})["y"], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert edgeopt.verify(network, made).passed


def test_factors_and_offsets_fold_where_that_is_exact(network: Path) -> None:
    def ops(proto: object) -> list[str]:
        graph = edgeopt.compile(proto, options=edgeopt.Options(inputs={"x": TEXT})).graph  # type: ignore[arg-type]
        return [node.op for node in graph.nodes]

    padded = ops(network)
    assert "Mul" not in padded and "Sub" in padded  # a border of zeros is not one of raw zeros
    proto = small_models.convolution()
    del proto.graph.node[0].attribute[:]
    proto.graph.node[0].attribute.append(helper.make_attribute("kernel_shape", [3, 3]))
    proto.graph.initializer[2].CopyFrom(small_models.weight("g", 36, 5))
    assert not {"Mul", "Sub"} & set(ops(proto))


def test_a_quantised_network_reads_the_buffer_itself(network: Path) -> None:
    """With one whole number as its mean nothing is left between the bytes and the first layer but their order."""
    inputs = {"x": "uint8,nchw,mean=128,scale=0.0078125"}
    data = edgeopt.DataSet({"x": pixels(16, 3, 8, 8)})
    made = edgeopt.compile(network, data=data, max_drop=100, options=edgeopt.Options(quantize="w8a8", inputs=inputs))
    assert made.graph.nodes[0].op in ("QuantConv", "QuantLookup") and not made.manifest["islands"]
    run = original_runner(network)[1]
    wanted = np.concatenate([run({"x": (data.arrays["x"][k : k + 1].astype(np.float32) - 128) / 128})["y"] for k in range(16)])
    error = np.abs(made.run(data.arrays)["y"] - wanted).mean() / np.ptp(wanted)
    assert error < 0.03  # of random weights, in the mean; with a border of raw zeros it would be a large part of the range


def test_a_frame_is_cut_and_resized(network: Path) -> None:
    text = "uint8,nhwc,mean=128,scale=0.0078125,frame=20x32,crop=16x16"
    made = edgeopt.compile(network, options=edgeopt.Options(inputs={"x": text}))
    image = pixels(1, 20, 32, 3)
    middle = image[:, 2:18, 8:24].astype(np.float32)
    half = middle.reshape(1, 8, 2, 8, 2, 3).mean((2, 4))  # linear at half pixel centres, by two
    expected = original_runner(network)[1]({"x": ((half - 128) / 128).transpose(0, 3, 1, 2).copy()})["y"]
    np.testing.assert_allclose(made.run({"x": image})["y"], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_what_does_not_fit_is_said(network: Path) -> None:
    for inputs, words in (
        ({"z": "uint8"}, "no input 'z'"),
        ({"x": "uint8,mean=1,2"}, "has 3 channels, not 2"),
        ({"x": "uint8,frame=8x8,crop=9x9"}, "cannot be cut"),
    ):
        with pytest.raises(EdgeoptError, match=words):
            edgeopt.compile(network, options=edgeopt.Options(inputs=inputs))
    assert command("compile", network, "--input", "x=uint9").exit_code == 2


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Raw images of the digits with labels, and the network compiled for them in int8 with a C library for the host."""
    folder = tmp_path_factory.mktemp("digits")
    found = np.load(EVALUATION)
    low, high = float(found["image"].min()), float(found["image"].max())
    scale = (high - low) / 255
    raw = np.rint((found["image"] - low) / scale).astype(np.uint8).transpose(0, 2, 3, 1)
    np.savez(folder / "raw.npz", image=np.ascontiguousarray(raw), labels=found["labels"])
    how = f"image=uint8,nhwc,mean={-low / scale!r},scale={scale!r}"
    options = ("--input", how, "--quantize", "w8a8", "--data", str(folder / "raw.npz"), "--emit", "c-library")
    result = command("compile", DIGITS, *options, "-o", folder / "made")
    assert result.exit_code == 0, result.stderr
    return folder / "raw.npz", folder / "made"


def test_from_a_model_to_a_gate(digits: tuple[Path, Path]) -> None:
    data, made = digits
    found = answered(command("eval", made, "--data", data, "--against", DIGITS, "--max-drop", "1", "--json"))
    assert found["passed"] and found["accuracy"]["percent"] > 98 and found["drop"]["percent"] <= 1
    assert command("verify", DIGITS, made, "--input", data).exit_code == 0


@pytest.mark.parametrize("target", ["host", "arm"])
def test_from_a_model_to_a_c_program(digits: tuple[Path, Path], target: str, tmp_path: Path) -> None:
    """The program that an artifact ships with, built by a C compiler, decides on raw images as onnxruntime does."""
    data, made = digits
    images = np.load(data)["image"][:3]
    model = edgeopt.load(made)
    if target == "arm":
        needs_tool("aarch64-linux-gnu-gcc")
        needs_tool("qemu-aarch64")
        return _decides_in_emulation(model, images, tmp_path)
    needs_tool("gcc")
    for name in ("libmodel.a", "model.h", "example.c", "weights.bin"):
        (tmp_path / name).write_bytes(bytes(model.files[name]))
    subprocess.run(["gcc", "-O2", "-o", "run", "example.c", "libmodel.a", "-lm"], cwd=tmp_path, check=True)
    expected = _original(model, images)
    for image, wanted in zip(images, expected, strict=True):
        (tmp_path / "in").write_bytes(image.tobytes())
        subprocess.run(["./run", "weights.bin", "in", "out"], cwd=tmp_path, check=True, capture_output=True)
        assert np.fromfile(tmp_path / "out", np.float32).argmax() == wanted


def _original(model: edgeopt.CompiledModel, images: Array) -> list[int]:
    """What onnxruntime decides on the prepared images."""
    run = on_raw_inputs(original_runner(DIGITS, "onnxruntime")[1], model.manifest)
    return [int(run({"image": images[k : k + 1]})["logits"].argmax()) for k in range(len(images))]


def _decides_in_emulation(model: edgeopt.CompiledModel, images: Array, folder: Path) -> None:
    about = model.manifest["preparation"]["image"]
    how = f"uint8,nhwc,mean={about['mean'][0]!r},scale={about['scale'][0]!r}"
    options = edgeopt.Options(inputs={"image": how})
    edgeopt.compile(DIGITS, target="arm", options=options).save(folder / "arm")
    np.savez(folder / "x.npz", image=images)
    assert command("run", folder / "arm", "--input", folder / "x.npz", "--output", folder / "y.npz", "--emulate").exit_code == 0
    assert np.load(folder / "y.npz")["logits"].argmax(1).tolist() == _original(model, images)
