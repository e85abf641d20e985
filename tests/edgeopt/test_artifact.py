"""The artifact on disk: what is saved is loaded, damage is found before anything runs, nothing half-written stays."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.object_code import code_of, stored_code
from tests.edgeopt import small_models

X = np.random.default_rng(3).normal(size=(1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    edgeopt.compile(small_models.convolution()).save(tmp_path / "net.edgeopt")
    return tmp_path / "net.edgeopt"


def test_round_trip(tmp_path: Path) -> None:
    compiled = edgeopt.compile(small_models.convolution())
    compiled.save(tmp_path / "net.edgeopt")
    again = edgeopt.load(tmp_path / "net.edgeopt")
    np.testing.assert_array_equal(again.run({"x": X})["y"], compiled.run({"x": X})["y"])
    assert again.graph.outputs[0].name == "y"


def test_a_model_with_a_host_step_runs_after_loading(tmp_path: Path) -> None:
    compiled = edgeopt.compile(small_models.loop(), level=0)
    compiled.save(tmp_path / "loop.edgeopt")
    x = np.ones(3, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for name, array in edgeopt.load(tmp_path / "loop.edgeopt").run({"x": x}).items():
            np.testing.assert_array_equal(array, compiled.run({"x": x})[name])


@pytest.mark.parametrize("name", ["model.o.xz", "weights.bin", "model.onnx"])
def test_damage_is_found(saved: Path, name: str) -> None:
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(EdgeoptError, match=f"{name}' is damaged"):
        edgeopt.load(saved)


@pytest.mark.parametrize("name", ["model.o.xz", "weights.bin", "manifest.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(EdgeoptError, match=name):
        edgeopt.load(saved)


def test_another_format_asks_to_compile_again(saved: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(EdgeoptError, match="format 99, .* reads 3: take the edgeopt that wrote it, or a later one"):
        edgeopt.load(saved)


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"format": 1}'])
def test_a_broken_manifest_is_one_message(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_text(text)
    with pytest.raises(EdgeoptError):
        edgeopt.load(saved)


def test_saving_again_replaces_and_leaves_nothing_behind(saved: Path) -> None:
    edgeopt.load(saved).save(saved)
    assert os.listdir(saved.parent) == [saved.name]


def test_a_folder_that_is_no_artifact_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(EdgeoptError, match="is not a compiled model"):
        edgeopt.compile(small_models.convolution()).save(tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").exists() and os.listdir(tmp_path) == ["precious"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    compiled = edgeopt.compile(small_models.convolution())
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(EdgeoptError, match="cannot write"):
        compiled.save(blocked / "net.edgeopt")
    assert os.listdir(tmp_path) == ["file"]


def test_code_is_packed_where_weights_are_coded(saved: Path, tmp_path: Path) -> None:
    """Raw weights lie as kernels read them, and so does code."""
    packed = edgeopt.load(saved)
    code = code_of(packed.files)
    assert code is not None and "model.o" not in packed.files and stored_code(packed.files) < len(code) / 2
    raw = edgeopt.compile(small_models.convolution(), options=edgeopt.Options(weights="raw"))
    raw.save(tmp_path / "raw")
    loaded = edgeopt.load(tmp_path / "raw")
    assert "model.o.xz" not in loaded.files and stored_code(loaded.files) == len(loaded.files["model.o"])
    np.testing.assert_array_equal(loaded.run({"x": X})["y"], raw.run({"x": X})["y"])


def test_a_model_runs_before_and_after_its_files_are_asked_for() -> None:
    source = small_models.convolution()
    before, fresh = edgeopt.compile(source).run({"x": X})["y"], edgeopt.compile(source)
    assert "model.o.xz" in fresh.files
    np.testing.assert_array_equal(fresh.run({"x": X})["y"], before)
