"""The same request gets the artifact of the first time; whatever differs, or was damaged, is compiled."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import parser

from edgeopt import repeated
from tests.edgeopt.command_line import edgeopt

BEFORE = "compiled before"
TEXT = '<ir_version: 9, opset_import: ["" : 17]> {} (float[1,8] x) => (float[1,8] y) {{ y = Relu(x) }}'


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of kept artifacts in an empty cache."""
    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/edgeopt/artifacts"


def model(path: Path, name: str = "g") -> Path:
    onnx.save(parser.parse_model(TEXT.format(name)), path)
    return path


def said(*arguments: str | Path) -> str:
    result = edgeopt("compile", *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stderr


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_second_time_the_artifact_is_the_same(tmp_path: Path) -> None:
    first = said(model(tmp_path / "a.onnx"), "-o", tmp_path / "one")
    second = said(model(tmp_path / "b.onnx"), "-o", tmp_path / "two")
    assert BEFORE not in first
    assert BEFORE in second
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert first.replace("one", "two") in second


def test_what_differs_is_compiled(tmp_path: Path) -> None:
    path, out = model(tmp_path / "a.onnx"), ("-o", tmp_path / "out")
    said(path, *out)
    assert BEFORE not in said(path, *out, "-O2")
    assert BEFORE not in said(path, *out, "--no-onnx")
    assert BEFORE not in said(path, *out, "--explain")
    assert BEFORE not in said(model(path, "another"), *out)


def test_a_search_that_may_have_been_cut_short_goes_on(tmp_path: Path) -> None:
    path, short = model(tmp_path / "a.onnx"), ("-O3", "--prefer", "size", "--search-time", "1s", "-o", tmp_path / "out")
    said(path, *short)
    assert BEFORE not in said(path, *short)


def test_what_is_damaged_is_compiled(tmp_path: Path, folder: Path) -> None:
    path, out = model(tmp_path / "a.onnx"), tmp_path / "out"
    said(path, "-o", out)
    kept = max(folder.iterdir(), key=lambda file: file.stat().st_size)
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    whole = content(out)
    assert BEFORE not in said(path, "-o", out)
    assert content(out) == whole
    assert BEFORE in said(path, "-o", out)


def test_a_folder_in_the_place_of_a_file_is_replaced(tmp_path: Path, folder: Path) -> None:
    path, out = model(tmp_path / "a.onnx"), tmp_path / "out"
    said(path, "-o", out)
    for kept in list(folder.iterdir()):
        kept.unlink()
        kept.mkdir()
    assert BEFORE not in said(path, "-o", out)
    assert BEFORE in said(path, "-o", out)


def test_a_model_with_data_in_other_files_is_compiled(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"...location...")
    assert repeated.key("asked", [path]) is None
    path.write_bytes(b"...")
    assert repeated.key("asked", [path]) != repeated.key("asked otherwise", [path])


def test_the_oldest_artifact_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> None:
    said(model(tmp_path / "a.onnx"), "-o", tmp_path / "one")
    most = sum(file.stat().st_size for file in folder.iterdir())
    monkeypatch.setattr(repeated, "MOST", most + 8)
    said(model(tmp_path / "b.onnx", "h"), "-o", tmp_path / "two")
    assert sum(file.stat().st_size for file in folder.iterdir()) <= most + 8
    assert BEFORE in said(tmp_path / "b.onnx", "-o", tmp_path / "two")
    assert BEFORE not in said(tmp_path / "a.onnx", "-o", tmp_path / "one")
