"""Targets: the built-in table, files of the user's own, and the facts of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

import edgeopt
from edgeopt.codegen.optimise import target_machine
from edgeopt.errors import EdgeoptError
from edgeopt.features import demanded, lacking
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.object_code import code_of
from edgeopt.target import builtin, host, target
from edgeopt.target_check import check
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.emulation import digits, image, needs

BOARD = 'triple = "aarch64-unknown-linux-gnu"\ncpu = "cortex-a55"\nfeatures = "+neon,+dotprod"\nvector_bytes = 16\n'
BOARD += 'vector_registers = 32\ndot4 = "sdot"\nlookup = "tbl"\nfrequency = 1.8e9\ncores = 2\n'


@pytest.mark.parametrize("name", ["host", *builtin()])
def test_every_target_has_sound_facts_and_a_code_generator(name: str) -> None:
    facts = target(name)
    assert facts.vector_bytes in (4, 16, 32, 64) and 8 <= facts.vector_registers <= 32
    assert 0 < facts.l1 <= facts.l2 and facts.cores >= 1 and facts.frequency > 1e7 and facts.bandwidth >= 1e8
    assert facts.lookup in ("", "tbl", "vtbl", "pshufb", "vpermb") and facts.dot4 in ("", "sdot", "vpdpbusd")
    assert f"p:{8 * facts.pointer_bytes}:" in str(target_machine(facts).target_data) or facts.pointer_bytes == 8


@pytest.mark.parametrize("name", list(builtin()))
def test_llvm_knows_the_features(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    target_machine(target(name))
    assert "not a recognized" not in capfd.readouterr().err


def test_a_file_adds_a_target(tmp_path: Path) -> None:
    needs("arm")
    (tmp_path / "board.toml").write_text(BOARD)
    model = edgeopt.compile(DIGITS, target=str(tmp_path / "board.toml"))
    assert model.manifest["target"]["name"] == "board" and model.manifest["target"]["cpu"] == "cortex-a55"
    x = {"image": image()}
    with Emulator(model) as emulator:
        np.testing.assert_allclose(emulator.run(x)["logits"], digits("host").run(x)["logits"], atol=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('cpu = "x"', "'triple' is missing"),
        (BOARD + "colour = 3", "unknown or wrongly typed fact 'colour"),
        (BOARD.replace("16", '"16"'), "vector_bytes"),
        ("triple = ", "cannot read the target file"),
        (BOARD.replace("cortex-a55", "cortex-z80"), "LLVM knows no processor 'cortex-z80' for aarch64"),
        (BOARD.replace("cortex-a55", ""), "cpu is empty"),
        (BOARD.replace("cortex-a55", "help"), "LLVM has no code generator"),
        (BOARD.replace("+dotprod", "+dotproduct"), "LLVM knows no feature 'dotproduct'"),
        (BOARD.replace("+neon", "neon"), "the feature 'neon' begins with neither"),
        (BOARD.replace("+neon", "+help"), "LLVM has no code generator"),
        (BOARD.replace("+neon", "+neon\\u0022 noreturn"), "no name of LLVM's"),
        (BOARD.replace("+neon,+dotprod", "-neon"), "needs 'neon'"),
        (BOARD.replace("cortex-a55", "cortex-a53").replace(",+dotprod", ""), "dot4 = 'sdot' needs 'dotprod'"),
        (BOARD.replace("aarch64-unknown", "sparc-unknown"), "no code generation for 'sparc-"),
        (BOARD.replace("aarch64", "aarch64_be"), "no code generation for 'aarch64_be-"),
        (BOARD.replace("unknown-linux-gnu", "pc-windows-msvc"), "little-endian ELF"),
        (BOARD.replace("aarch64", "x86_64"), "LLVM knows no processor 'cortex-a55' for x86_64"),
        (
            BOARD.replace("aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf") + "pointer_bytes = 8",
            "LLVM knows no feature|pointers",
        ),
        (BOARD + "pointer_bytes = 4", "pointers of aarch64-unknown-linux-gnu have 8"),
        (BOARD.replace("vector_bytes = 16", "vector_bytes = 24"), "vector_bytes is 24, known are 4, 16, 32, 64"),
        (BOARD.replace("1.8e9", "nan"), "frequency is nan"),
        (BOARD.replace("cores = 2", "cores = 0"), "cores is 0"),
        (BOARD.replace("cores = 2", "cores = 1000000000"), "at most"),
        (BOARD.replace("cores = 2", "cores = true"), "unknown or wrongly typed"),
        ('triple = "x86_64-unknown-linux-gnu"\ncpu = "i386"', "64-bit code requested"),
        ('triple = "x86_64-unknown-linux-gnu"\ncpu = "core2"\nvector_bytes = 32', "needs 'avx2', which cpu 'core2'"),
        ('triple = "x86_64-unknown-linux-gnu"\ncpu = "haswell"\nvector_bytes = 32\ndot4 = "vpdpbusd"', "needs 'avx512vnni'"),
    ],
)
def test_a_wrong_file_is_one_message(tmp_path: Path, text: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One message, and nothing of LLVM's on stderr."""
    (tmp_path / "board.toml").write_text(text)
    with pytest.raises(EdgeoptError, match=message) as caught:
        target(str(tmp_path / "board.toml"))
    assert "\n" not in str(caught.value).strip() and capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["host", *builtin()])
def test_the_shipped_targets_pass_the_check_of_files(name: str) -> None:
    check(target(name))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(EdgeoptError, match=r"known are host, arm, .*TOML"):
        target("z80")


def test_the_host_is_this_machine() -> None:
    assert host().runs_here and host().triple == llvm.get_process_triple()


def test_features_are_those_of_the_processors() -> None:
    names = ("avx", "avx2", "avx512f", "avx512vl", "avx512vnni", "fma", "sse4.2")
    linux = "x86_64-unknown-linux-gnu"
    assert demanded(linux, "x86-64", "", names) == ()
    assert demanded(linux, "x86-64-v2", "", names) == ("sse4.2",)
    assert demanded(linux, "x86-64-v3", "", names) == ("avx", "avx2", "fma", "sse4.2")
    assert demanded(linux, "x86-64-v4", "", names) == ("avx", "avx2", "avx512f", "avx512vl", "fma", "sse4.2")
    assert demanded(linux, "x86-64", "+avx2", names) == ("avx", "avx2", "sse4.2")  # what follows from it included
    assert demanded(linux, "x86-64-v4", "-avx512f", names) == ("avx", "avx2", "fma", "sse4.2")
    arm = ("dotprod", "neon", "sve")
    assert demanded("aarch64-unknown-linux-gnu", "cortex-a53", "", arm) == ("neon",)
    assert demanded("aarch64-unknown-linux-gnu", "cortex-a76", "", arm) == ("dotprod", "neon")


def _as_if(monkeypatch: pytest.MonkeyPatch, absent: Callable[[str], bool]) -> None:
    """This machine without some of its features."""
    present = llvm.get_host_cpu_features()
    less = type(present)({name: value and not absent(name) for name, value in present.items()})
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: less)


@pytest.mark.skipif(not llvm.get_process_triple().startswith("x86_64"), reason="this is no x86-64 machine")
def test_code_runs_where_all_its_features_are(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = "x86_64-unknown-linux-gnu"
    assert lacking(linux, "x86-64", "") == () and host().lacking == () and target("arm").lacking == ("aarch64",)
    _as_if(monkeypatch, lambda name: name.startswith("avx512"))
    assert lacking(linux, "x86-64-v4", "+avx512vnni") == (
        "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl", "avx512vnni",
    )  # fmt: skip
    assert not target("x86-64-v4").runs_here
    assert lacking(linux, "x86-64-v2", "") == ()


@pytest.mark.skipif(not llvm.get_process_triple().startswith("x86_64"), reason="this is no x86-64 machine")
def test_a_model_that_needs_more_than_the_processor_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edgeopt.compile(DIGITS, target="x86-64-v3").save(tmp_path / "d.edgeopt")
    _as_if(monkeypatch, lambda name: name in ("avx2", "fma"))
    loaded = edgeopt.load(tmp_path / "d.edgeopt")
    with pytest.raises(
        EdgeoptError, match=r"'x86-64-v3' .*this processor lacks avx2, fma; .*edgeopt compile .* --target host -O1"
    ):
        loaded.run({"image": image()})
    assert code_of(edgeopt.compile(DIGITS, target="x86-64-v3").files) is None


def test_numba_says_nothing_to_applications_that_log(tmp_path: Path) -> None:
    script = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        f"import edgeopt; edgeopt.compile({str(DIGITS)!r})\n"
        "logging.getLogger('numba').setLevel(logging.DEBUG); logging.getLogger('numba').debug('asked for')\n"
    )
    environment = {**os.environ, "EDGEOPT_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert [line for line in done.stderr.splitlines() if "numba" in line] == ["DEBUG:numba:asked for"]


def test_a_target_made_in_python_is_checked_too() -> None:
    with pytest.raises(EdgeoptError, match="LLVM knows no processor 'z80'"):
        edgeopt.compile(DIGITS, target=replace(target("arm"), cpu="z80"))
