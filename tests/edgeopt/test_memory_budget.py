"""The printed budget of a microcontroller, bounds on it, and what a firmware project finds in the artifact."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeopt
from edgeopt.assembly import assemble
from edgeopt.codegen.elf import Elf
from edgeopt.codegen.toolchain import bare_flags, compiler
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.writing import FileForm
from edgeopt.target import boards, target
from edgeopt.target_check import check
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.test_microcontrollers import needs_board
from tests.kernels.channels_last.networks import CHAIN, chain

RAW = FileForm(coded=False, onnx=False)
M4 = target("cortex-m4")
APART = 128  # bytes of stack that are counted too much where the deepest kernel does not call the deepest function of a library
STARTING = 1500  # bytes of the program that reads samples and calls the network


def made(where: str = "cortex-m4", flash: int = 0, ram: int = 0) -> CompiledModel:
    """A small integer network for a microcontroller."""
    facts = replace(target(where), flash=flash, ram=ram)
    return assemble(chain(CHAIN, (1, 5, 12, 10))[0], facts, symbol="small", library=True, form=RAW)


@pytest.mark.parametrize("where", ["cortex-m4", "rv32imc"])
def test_the_budget_is_what_the_program_takes(where: str) -> None:
    needs_board(where)
    model = made(where)
    (note,) = (n for n in model.manifest["notes"] if n.startswith("flash"))
    found = {word: int(note.split(f"{word} ")[1].split()[0].rstrip(";").replace(",", "")) for word in ("flash", "RAM", "stack")}
    x = chain(CHAIN, (1, 5, 12, 10))[1]
    with Emulator(model) as emulator:
        emulator.run({"x": x})
        stack = int(np.fromfile(emulator.folder / "stack.bin", np.uint32)[0])
        linked = len(Elf((emulator.folder / "program.elf").read_bytes()).sections()[".text"])
    assert 0 <= linked - found["flash"] <= STARTING, "flash holds the program that calls the network, and no more"
    about = model.manifest
    ram = about["arena_bytes"] + about["scratch_bytes"] + x.size + int(np.prod(about["outputs"][0]["shape"])) + stack
    assert -0.02 * ram <= found["RAM"] - ram <= max(0.02 * ram, APART), (found, ram)
    assert -64 <= found["stack"] - stack <= APART and found["stack"] >= 64


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"ram": 2000}, "of RAM, 2,000 are allowed: 'layer.*--interface codes"),
        ({"flash": 999}, "of flash, 999 are allowed: the weights of .layer"),
    ],
)
def test_a_bound_that_is_not_met_names_what_sets_it(bounds: dict[str, int], words: str) -> None:
    with pytest.raises(EdgeoptError, match=words):
        made(flash=bounds.get("flash", 0), ram=bounds.get("ram", 0))


def test_what_the_largest_step_takes_is_within_the_whole() -> None:
    """Its result lies over its input here, and is counted once."""
    with pytest.raises(EdgeoptError) as refused:
        made(ram=2000)
    words = str(refused.value).replace(",", "").split()
    whole, step = (int(words[words.index(word) + n]) for word, n in (("needs", 1), ("lie", 2)))
    assert step <= whole - int(words[words.index("stack") + 1])


def test_winograd_gives_way_to_ram_and_flash() -> None:
    """Its transformed weights are larger than the weights, its maps larger than the maps."""
    plain, free = (edgeopt.compile(DIGITS, level, "cortex-m4").manifest for level in (1, 2))
    assert plain["weights_bytes"] < free["weights_bytes"]
    tight = edgeopt.compile(DIGITS, 2, "cortex-m4", options=edgeopt.Options(max_flash=free["weights_bytes"]))
    assert tight.manifest["weights_bytes"] == plain["weights_bytes"]


def test_bounds_are_for_microcontrollers() -> None:
    with pytest.raises(EdgeoptError, match="max_ram is a bound for microcontrollers"):
        edgeopt.compile(DIGITS, options=edgeopt.Options(max_ram=1000))


@pytest.mark.parametrize("name", list(boards()))
def test_boards_are_targets(name: str) -> None:
    facts = target(name)
    check(facts)
    assert facts.flash > facts.ram // 8 and facts.ram >= 1 << 17


def test_weights_compile_as_c(tmp_path: Path) -> None:
    needs_board("cortex-m4")
    model = made()
    for name in ("small.h", "model.h", "small_weights.c"):
        (tmp_path / name).write_bytes(model.files[name])
    command = [*(compiler(M4) or []), *bare_flags(M4), "-Wall", "-Wextra", "-Werror", "-c", "small_weights.c", "-o", "w.o"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    numbers = bytes(model.files["small_weights.c"]).decode().split("{")[1].split("}")[0]
    assert bytes(int(n) for n in numbers.replace("\n", "").split(",") if n) == bytes(model.files["weights.bin"])
