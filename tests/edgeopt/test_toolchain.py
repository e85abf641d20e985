"""Linkers: which one is found, what is said without any, and archives written without one."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

import edgeopt
from edgeopt.codegen import toolchain
from edgeopt.codegen.elf import Elf, archived
from edgeopt.errors import EdgeoptError
from edgeopt.target import target
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.emulation import digits, needs_tool


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler is on the path."""
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def nothing(no_programs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that links is installed at all."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_without_a_linker_the_static_library_is_still_written(nothing: None) -> None:
    model = edgeopt.compile(DIGITS, target="arm")
    assert {"libmodel.a", "model.h", "example.c", "Makefile"} <= set(model.files) and "libmodel.so" not in model.files
    (note,) = [n for n in model.manifest["notes"] if "libmodel.so" in n]
    assert "gcc-aarch64-linux-gnu" in note and "ziglang" in note


def test_without_a_linker_the_message_names_the_package(nothing: None) -> None:
    from edgeopt.runtime.emulate import Emulator

    with pytest.raises(EdgeoptError, match=r"gcc-arm-linux-gnueabihf|qemu-user"):
        Emulator(edgeopt.compile(DIGITS, target="armv7"))


def test_ziglang_links_when_there_is_no_other(no_programs: None) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed: pip install edgeopt[cross]")
    library = toolchain.shared_library(archived(digits("arm").files["libmodel.a"]), target("arm"))
    assert library is not None
    assert {"digits_run", "digits_init"} <= {s.name for s in Elf(library).symbols() if not s.undefined}


def test_a_failing_linker_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="failed with"):
        toolchain.invoke([needs_tool("gcc"), "-shared", "nothing.o"], tmp_path)


def test_a_missing_program_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="cannot run"):
        toolchain.invoke(["no-such-program"], tmp_path)


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64])
def test_an_archive_is_what_ar_writes(tmp_path: Path, size: int) -> None:
    content = bytes(range(size))
    (tmp_path / "made.a").write_bytes(made := toolchain.archive("model.o", content, ["one", "three"]))
    assert archived(made) == content
    ar = needs_tool("ar")
    listed = subprocess.run([ar, "p", "made.a", "model.o"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert listed == content


@pytest.mark.parametrize("data", [b"", b"MZ" + bytes(100), b"\x7fELF\x02\x02" + bytes(100)])
def test_what_is_no_elf_file_is_refused(data: bytes) -> None:
    with pytest.raises(EdgeoptError, match="ELF"):
        Elf(data)
