"""Files of other frameworks: what they are, and how to make ONNX of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from onnx import save

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import load
from edgeopt.runtime.artifact import load as load_compiled
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS, compiled, edgeopt


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, b"\x80\x02}q\x00.")
    return path


@pytest.mark.parametrize(
    ("name", "content", "what", "way"),
    [
        ("a.tflite", b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite", "tf2onnx"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "Keras", "load_model"),
        ("a.pb", b"\x0a\x20\x0a\x01x\x12\x0bPlaceholder", "TensorFlow graph", "--graphdef"),
        ("a.pt", b"\x80\x02\x8a\x0al\xfc", "PyTorch", "torch.onnx.export"),
        ("a.safetensors", b"\x40\0\0\0\0\0\0\0{}", "weights", "torch.onnx.export"),
        ("front.json", b'{"schema": 1}', "JSON file", "edgeopt select"),
        ("renamed.onnx", b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite", "tf2onnx"),
    ],
)
def test_files_of_other_frameworks_are_named(tmp_path: Path, name: str, content: bytes, what: str, way: str) -> None:
    (tmp_path / name).write_bytes(content)
    result = edgeopt("compile", tmp_path / name, "-o", tmp_path / "out")
    assert result.exit_code == 1 and what in result.stderr and way in result.stderr and result.stderr.count("\n") == 1


def test_what_is_in_a_zip_decides(tmp_path: Path) -> None:
    cases = {
        "checkpoint": archive(tmp_path / "a.pt", "archive/data.pkl", "archive/data/0"),
        "TorchScript": archive(tmp_path / "b.pt", "net/code/__torch__.py", "net/data.pkl"),
        "exported program": archive(tmp_path / "c.pt2", "c/models/model.json"),
        "Keras": archive(tmp_path / "d.keras", "metadata.json", "config.json", "model.weights.h5"),
        "npz archive": archive(tmp_path / "e.npz", "image.npy"),
    }
    for what, path in cases.items():
        with pytest.raises(EdgeoptError, match=what):
            load(path)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="holds no .onnx file"):
        load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(EdgeoptError, match="SavedModel.*--saved-model"):
        load(tmp_path)
    assert "is a compiled model" in edgeopt("compile", compiled(tmp_path)).stderr


def test_an_onnx_model_may_be_called_anything(tmp_path: Path) -> None:
    save(small_models.convolution(), tmp_path / "model.pb")
    assert load(tmp_path / "model.pb").nodes and load(DIGITS).nodes


def test_the_model_inside_of_an_artifact_says_what_stands_alone(tmp_path: Path) -> None:
    directory = compiled(tmp_path)
    said = "lies coded in the compiled model '.*': give the .onnx file.*--target where it is trained.*--emit onnx"
    with pytest.raises(EdgeoptError, match=f"{said}.*edgeopt.load.*onnx"):
        load(directory / "model.onnx")
    assert load(load_compiled(directory).onnx()).nodes
