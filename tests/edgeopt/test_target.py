"""Targets: the built-in table, files of the user's own, and the facts of this machine."""

from __future__ import annotations

from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

import edgeopt
from edgeopt.codegen.build import target_machine
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import builtin, host, target
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.emulation import digits, image, needs

BOARD = 'triple = "aarch64-unknown-linux-gnu"\ncpu = "cortex-a55"\nfeatures = "+neon,+dotprod"\nvector_bytes = 16\n'
BOARD += 'vector_registers = 32\ndot4 = "sdot"\nlookup = "tbl"\nfrequency = 1.8e9\ncores = 2\n'


@pytest.mark.parametrize("name", ["host", *builtin()])
def test_every_target_has_sound_facts_and_a_code_generator(name: str) -> None:
    facts = target(name)
    assert facts.vector_bytes in (16, 32, 64) and facts.vector_registers in (16, 32)
    assert 0 < facts.l1 <= facts.l2 and facts.cores >= 1 and facts.frequency > 1e8 and facts.bandwidth > 1e8
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
    ],
)
def test_a_wrong_file_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "board.toml").write_text(text)
    with pytest.raises(EdgeoptError, match=message):
        target(str(tmp_path / "board.toml"))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(EdgeoptError, match=r"known are host, arm, .*TOML"):
        target("z80")


def test_the_host_is_this_machine() -> None:
    assert host().is_host and host().triple == llvm.get_process_triple()
