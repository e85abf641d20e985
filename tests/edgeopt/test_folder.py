"""Where an artifact may be written: in place of nothing, an empty folder or an artifact; nothing else is ever removed."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.runtime import folder
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command

X = np.ones((1, 3, 8, 8), np.float32)


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return edgeopt.compile(small_models.convolution())


def contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


FOREIGN = ["{}", "[]", "", "{", '{"name": "my app", "version": 1}', '{"checksums": {}}']
FOREIGN += ['{"format": 1, "checksums": {"thesis.txt": "00"}}', '{"artifact": "other", "checksums": {"thesis.txt": "00"}}']


@pytest.mark.parametrize("manifest", FOREIGN)
def test_a_folder_with_a_manifest_of_others_stays(model: CompiledModel, manifest: str, tmp_path: Path) -> None:
    place = tmp_path / "extension"
    place.mkdir()
    (place / "manifest.json").write_text(manifest)
    (place / "thesis.txt").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(EdgeoptError, match="is not a compiled model"):
        model.save(place)
    assert contents(tmp_path) == before and os.listdir(tmp_path) == ["extension"]
    assert command("compile", DIGITS, "-o", place).exit_code == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", ["file", "folder", "link", "broken link"])
def test_what_somebody_put_beside_the_model_stays(model: CompiledModel, kind: str, tmp_path: Path) -> None:
    place = tmp_path / "net"
    model.save(place)
    if kind == "file":
        (place / "notes.txt").write_text("mine")
    elif kind == "folder":
        (place / "notes").mkdir()
        (place / "notes" / "a.txt").write_text("mine")
    else:
        (place / "notes").symlink_to(tmp_path if kind == "link" else "nowhere")
    before = contents(place)
    with pytest.raises(EdgeoptError, match="also holds 'notes"):
        model.save(place)
    assert contents(place) == before and os.listdir(tmp_path) == ["net"]


def test_a_listed_name_that_became_a_folder_or_a_link_stays(model: CompiledModel, tmp_path: Path) -> None:
    place, precious = tmp_path / "net", tmp_path / "precious"
    model.save(place)
    precious.write_text("years of work")
    (place / "model.o.xz").unlink()
    (place / "model.o.xz").symlink_to(precious)
    with pytest.raises(EdgeoptError, match=r"also holds 'model\.o\.xz'"):
        model.save(place)
    assert precious.read_text() == "years of work"


@pytest.mark.parametrize("kind", ["link to an artifact", "link to a folder", "broken link", "file", "fifo"])
def test_what_is_no_folder_stays(model: CompiledModel, kind: str, tmp_path: Path) -> None:
    place = tmp_path / "net"
    if "link" in kind:
        if kind == "link to an artifact":
            model.save(tmp_path / "real")
        elif kind == "link to a folder":
            (tmp_path / "real").mkdir()
        place.symlink_to("real")
    elif kind == "file":
        place.write_text("mine")
    else:
        os.mkfifo(place)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(EdgeoptError, match="is a link|is no folder"):
        model.save(place)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("path", ["/", "/proc", "/etc", ".", "..", "../..", "", "nul\0", "n" * 300, "/dev/null", "/dev/full"])
def test_places_that_cannot_be(model: CompiledModel, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    with pytest.raises(EdgeoptError):
        model.save(path)
    assert contents(tmp_path) == {} and os.listdir(tmp_path / "a") == ["b"]


def test_the_folder_one_is_in_stays(model: CompiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model.save(tmp_path / "net")
    monkeypatch.chdir(tmp_path / "net")
    with pytest.raises(EdgeoptError, match="the folder you are in"):
        model.save(".")
    assert edgeopt.load(".").run({"x": X})["y"].shape == (1, 5)


@pytest.mark.parametrize("steps", [False, True], ids=["exchange", "in steps"])
def test_an_artifact_is_replaced_whole(
    model: CompiledModel, steps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if steps:
        monkeypatch.setattr(ctypes, "CDLL", lambda *a, **k: object())
    edgeopt.compile(small_models.loop(), level=0).save(tmp_path / "net")
    model.save(tmp_path / "net")
    assert edgeopt.load(tmp_path / "net").outputs[0].name == "y"
    made = {"manifest.json", "report.html", "report.json"}
    assert os.listdir(tmp_path) == ["net"] and {*contents(tmp_path / "net")} == {*model.files, *made}


def test_an_empty_folder_is_taken(model: CompiledModel, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    model.save(tmp_path / "net")
    assert edgeopt.load(tmp_path / "net").outputs[0].name == "y" and os.listdir(tmp_path) == ["net"]


def test_an_artifact_of_the_first_format_is_replaced(model: CompiledModel, tmp_path: Path) -> None:
    model.save(tmp_path / "net")
    path = tmp_path / "net" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in manifest.items() if k not in ("artifact", "sizes")} | {"format": 1}))
    model.save(tmp_path / "net")
    assert edgeopt.load(tmp_path / "net").outputs[0].name == "y"


@pytest.mark.parametrize("step", ["_write", "_swap"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_one(
    model: CompiledModel, step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "net")
    before = contents(tmp_path)

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(folder, step, fail)
    with pytest.raises((EdgeoptError, KeyboardInterrupt)):
        model.save(tmp_path / "net")
    assert contents(tmp_path) == before and os.listdir(tmp_path) == ["net"]


def test_a_file_that_comes_in_between_is_not_lost(model: CompiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody writes into the old folder after it was looked at: it survives aside."""
    model.save(tmp_path / "net")
    swap = folder._swap

    def late(aside: Path, final: Path) -> None:
        (final / "late.txt").write_text("mine")
        swap(aside, final)

    monkeypatch.setattr(folder, "_swap", late)
    model.save(tmp_path / "net")
    (kept,) = [p for p in tmp_path.iterdir() if p.name != "net"]
    assert os.listdir(kept) == ["late.txt"]


def test_the_files_of_an_artifact_are_regular(model: CompiledModel, tmp_path: Path) -> None:
    for name in (*model.files, "manifest.json"):
        place = tmp_path / name.replace(".", "_")
        model.save(place)
        (place / name).unlink()
        os.mkfifo(place / name)
        with pytest.raises(EdgeoptError, match="is a FIFO"):
            edgeopt.load(place)
    (tmp_path / "link").mkdir()
    model.save(tmp_path / "net")
    (tmp_path / "net" / "weights.bin").rename(tmp_path / "elsewhere")
    (tmp_path / "net" / "weights.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EdgeoptError, match="is a link"):
        edgeopt.load(tmp_path / "net")


def test_a_file_of_absurd_size_is_refused_before_it_is_read(model: CompiledModel, tmp_path: Path) -> None:
    model.save(tmp_path / "net")
    os.truncate(tmp_path / "net" / "weights.bin", 1 << 40)
    with pytest.raises(EdgeoptError, match="its size differs"):
        edgeopt.load(tmp_path / "net")
