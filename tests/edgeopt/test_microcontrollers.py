"""Code for microcontrollers computes on emulated boards the codes that this machine computes."""

from __future__ import annotations

import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgeopt.assembly import assemble
from edgeopt.codegen.build import build
from edgeopt.codegen.elf import Elf
from edgeopt.codegen.toolchain import bare_flags, compiler
from edgeopt.errors import EdgeoptError
from edgeopt.lower.lowering import lower
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.firmware import board
from edgeopt.target import host, target
from tests.kernels.channels_last.networks import LAYERS, Layer, depthwise, network


def needs_board(name: str) -> None:
    """Skip where the compiler or the emulator of a microcontroller is not installed."""
    try:
        board(target(name))
    except EdgeoptError as error:
        pytest.skip(str(error))
    if compiler(target(name)) is None:
        pytest.skip(f"no C compiler for {name}")


@pytest.mark.parametrize(
    ("name", "channels", "dtype"),
    [
        ("cortex-m4", 6, "int8"),
        ("cortex-m4", 4, "uint8"),
        ("cortex-m55", 20, "int8"),
        ("cortex-m55", 3, "uint8"),
        ("rv32imc", 5, "int8"),
    ],
)
def test_boards_compute_the_codes_of_this_machine(name: str, channels: int, dtype: str) -> None:
    needs_board(name)
    layers = [*LAYERS[:5], *depthwise(channels)[:3]] if dtype == "int8" else [LAYERS[3], depthwise(channels)[1]]
    graph, x = network(layers, (1, channels, 7, 6), dtype)
    model = assemble(graph, target(name), symbol="layers", library=True)
    assert model.manifest["kernels"][-1]["kernel"].startswith(("depthwise", "channels_order"))
    with Emulator(model) as emulator:
        made = emulator.run({"x": np.concatenate([x, x[..., ::-1].copy()])})
    right = assemble(graph, host()).run({"x": np.concatenate([x, x[..., ::-1].copy()])})
    for key, codes in right.items():
        np.testing.assert_array_equal(made[key], codes)


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m55", "rv32imc"])
def test_codes_of_sixteen_bits(name: str) -> None:
    """Products of words, for which x86 has an instruction that no microcontroller has."""
    needs_board(name)
    graph, x = network([LAYERS[0], LAYERS[1], *depthwise(20)[:1]], (1, 20, 5, 6), "int16")
    with Emulator(assemble(graph, target(name), symbol="layers", library=True)) as emulator:
        made = emulator.run({"x": x})
    for key, codes in assemble(graph, host()).run({"x": x}).items():
        np.testing.assert_array_equal(made[key], codes)


def test_a_processor_without_products_of_64_bits() -> None:
    needs_board("cortex-m0plus")
    graph, x = network([Layer(7, (3, 3), pads=(1, 1, 1, 1))], (1, 4, 5, 6))
    with Emulator(assemble(graph, target("cortex-m0plus"), symbol="layers", library=True)) as emulator:
        (made,) = emulator.run({"x": x}).values()
    np.testing.assert_array_equal(made, next(iter(assemble(graph, host()).run({"x": x}).values())))


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m55"])
def test_integer_layers_call_no_functions(name: str) -> None:
    graph, _ = network([LAYERS[0], *depthwise(16)[:1]], (1, 16, 7, 6))
    code = Elf(build(lower(graph, target(name), "layers"), target(name), library=True))
    assert code.undefined() <= {"memset", "memcpy", "memmove", "__aeabi_memcpy", "__aeabi_memset", "__aeabi_memclr"}


@pytest.mark.parametrize("halves", range(4))
def test_semihosting_links_at_every_half_word(halves: int, tmp_path: Path) -> None:
    """Where calls are relaxed, what is aligned to 16 bytes moves by half words."""
    needs_board("rv32imc")
    folder = resources.files("edgeopt") / "runtime" / "board"
    (tmp_path / "semihost.h").write_text((folder / "semihost.h").read_text())
    shift = 'asm volatile("c.nop");' * halves
    called = "__attribute__((noinline)) int called(int x) { return x * 3; }"
    main = f'int main(void) {{ int x = called(1); {shift} return host_open("none", 1) + x; }}'
    (tmp_path / "main.c").write_text(f'#include "semihost.h"\n{called}\n{main}\nvoid _start(void) {{ main(); }}\n')
    command = [*(compiler(target("rv32imc")) or []), *bare_flags(target("rv32imc")), "-O2", "-nostartfiles", "-static"]
    done = subprocess.run([*command, "main.c", "-o", "p.elf"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_emulator_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EdgeoptError, match="qemu-system-arm"):
        board(target("cortex-m4"))
