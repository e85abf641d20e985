"""What a firmware project takes of an artifact compiles and works: headers in C++ and Rust, the self-test, archives."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper, parser

import edgeopt
from edgeopt.codegen.toolchain import bare_flags, compiler
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.firmware import build
from edgeopt.runtime.firmware import command as board_command
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import target
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.emulation import needs_tool
from tests.edgeopt.test_interface import network
from tests.edgeopt.test_microcontrollers import needs_board

USES = """#include "coded.h"
int main() {
  float real[CODED_INPUT_0_ELEMENTS] = {1.0f};
  int8_t codes[CODED_INPUT_0_ELEMENTS];
  coded_input_0_codes(real, codes);
  return codes[0] == 45 && CODED_OUTPUT_0_SCALE > 0 ? 0 : 1;
}
"""


def compiled(interface: Sequence[str] = ("codes", "arena"), where: str = "cortex-m4") -> CompiledModel:
    """A small network with codes, in C."""
    return edgeopt.compile(network(), 1, where, options=edgeopt.Options(interface=interface, self_test=True))


def unpacked(model: CompiledModel, folder: Path) -> Path:
    for name, data in model.files.items():
        (folder / name).write_bytes(data)
    return folder


def done(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("tool", "end"), [("g++", "cpp"), ("cc", "c")])
def test_the_header_is_c_and_cpp(tool: str, end: str, tmp_path: Path) -> None:
    command = [needs_tool(tool), "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"uses.{end}", "-o", "uses", "-lm"]
    unpacked(compiled(), tmp_path)
    (tmp_path / f"uses.{end}").write_text(USES)
    made = done(command, tmp_path)
    assert made.returncode == 0, made.stderr
    assert done(["./uses"], tmp_path).returncode == 0


REGION = """#include "camera.h"
static _Alignas(CAMERA_ALIGNMENT) unsigned char to[CAMERA_INPUT_0_BYTES];
int main(void) {
  static unsigned char frame[20][40][3];
  for (int i = 0; i < 2400; i++) frame[i / 120][i / 3 % 40][i % 3] = (unsigned char)(i * 7);
  camera_input_0_region(&frame[5][9][0], sizeof frame[0], to);
  for (int y = 0; y < CAMERA_INPUT_0_LINES; y++)
    for (int x = 0; x < 5; x++)
      for (int c = 0; c < 3; c++)
        if (to[(y * 5 + x) * 3 + c] != frame[5 + y][9 + x][c]) return 1;
  return CAMERA_INPUT_0_LINES == 6 ? 0 : 2;
}
"""


def test_a_region_of_a_picture_is_chosen_at_run_time(tmp_path: Path) -> None:
    body = "y = Conv<pads=[1,1,1,1], kernel_shape=[3,3]>(x, w)"
    head = '<ir_version: 10, opset_import: ["" : 21]> camera (float[1,3,6,5] x) => (float[1,2,6,5] y)'
    model = parser.parse_model(f"{head} {{ {body} }}")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w"))
    options = edgeopt.Options(inputs={"x": "uint8,nhwc,mean=128,scale=0.01"}, emit="c-library")
    unpacked(edgeopt.compile(model, options=options), tmp_path)
    (tmp_path / "model.h").rename(tmp_path / "camera.h")
    (tmp_path / "region.c").write_text(REGION)
    made = done([needs_tool("cc"), "-Wall", "-Wextra", "-Werror", "-std=c11", "region.c", "-o", "region"], tmp_path)
    assert made.returncode == 0, made.stderr
    assert done(["./region"], tmp_path).returncode == 0


def test_the_rust_declarations_compile(tmp_path: Path) -> None:
    rustc = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo" / "bin"))
    if rustc is None or done([rustc, "--version"], tmp_path).returncode:
        pytest.skip("rustc is not installed")
    unpacked(compiled(), tmp_path)
    made = done([rustc, "--edition=2021", "--crate-type=lib", "--emit=metadata", "-D", "warnings", "coded.rs"], tmp_path)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("interface", [(), ("codes",), ("codes", "arena")])
@pytest.mark.parametrize("where", ["cortex-m4", "rv32imc"])
def test_the_self_test_passes_and_can_fail(interface: tuple[str, ...], where: str, tmp_path: Path) -> None:
    needs_board(where)
    facts, model = target(where), compiled(interface, where)
    unpacked(model, tmp_path)
    build(model.files, model.manifest, facts, tmp_path)  # for what starts a program, and the places of the board
    assert executed(facts, tmp_path).returncode == 0
    test = tmp_path / "coded_self_test.c"
    head, stored = test.read_text().split("expected_0[] = {\n", 1)
    test.write_text(f"{head}expected_0[] = {{\n  1 + {stored.lstrip()}")
    failed = executed(facts, tmp_path)
    assert failed.returncode == 100


def executed(facts: edgeopt.target.Target, folder: Path) -> subprocess.CompletedProcess[str]:
    """The self-test built for a board and run there."""
    flags = ["-O2", "-std=gnu11", *bare_flags(facts), "-nostartfiles", "-static", "-T", "link.ld", "start.c"]
    sources = ["coded_self_test.c", "coded_weights.c", "libmodel.a", "-lm"]
    made = done([*(compiler(facts) or []), *flags, *sources, "-o", "test.elf"], folder)
    assert made.returncode == 0, made.stderr
    return done(board_command(facts, folder / "test.elf"), folder)


def test_a_self_test_is_for_microcontrollers() -> None:
    with pytest.raises(EdgeoptError, match="self_test is for microcontrollers"):
        edgeopt.compile(DIGITS, options=edgeopt.Options(self_test=True))


def test_archives_for_arduino_and_zephyr() -> None:
    files = compiled().files
    arduino, zephyr = (zipfile.ZipFile(io.BytesIO(files[f"coded_{name}.zip"])) for name in ("arduino", "zephyr"))
    assert {"coded/library.properties", "coded/src/coded.h", "coded/src/coded_weights.c"} <= set(arduino.namelist())
    assert arduino.read("coded/src/cortex-m4/fpv4-sp-d16-hard/libcoded.a") == files["libmodel.a"]
    properties = dict(line.split("=", 1) for line in arduino.read("coded/library.properties").decode().splitlines())
    assert properties["precompiled"] == "true" and properties["ldflags"].startswith("-lcoded") and properties["name"] == "coded"
    assert "cmake: zephyr" in zephyr.read("coded/zephyr/module.yml").decode()
    assert {"coded/zephyr/CMakeLists.txt", "coded/libmodel.a", "coded/coded.h"} <= set(zephyr.namelist())
    assert compiled().files["coded_zephyr.zip"] == files["coded_zephyr.zip"]


def test_the_example_builds_with_its_inputs_in_the_arena(tmp_path: Path) -> None:
    needs_board("cortex-m4")
    made = done(["make"], unpacked(compiled(), tmp_path))
    assert made.returncode == 0 and "-Werror" in made.stdout, made.stderr
    # weights are read where they lie: neither a buffer for them nor one for their file takes RAM
    example = bytes(compiled().files["example.c"]).decode()
    assert "WEIGHTS_BYTES + 1" not in example and "FILE_BYTES + 1" not in example and "coded_weights.c" in made.stdout


def test_pkg_config_and_cmake_read_their_files(tmp_path: Path) -> None:
    unpacked(compiled(), tmp_path)
    found = done([needs_tool("pkg-config"), "--libs", "--cflags", "./coded.pc"], tmp_path)
    assert found.returncode == 0 and "libmodel.a" in found.stdout and "-I" in found.stdout, found.stderr
    needs_board("cortex-m4")
    gcc, flags = (compiler(target("cortex-m4")) or [""])[0], " ".join(bare_flags(target("cortex-m4")))
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "main.c").write_text(
        '#include "coded.h"\nint coded_self_test(void);\nint main(void) { return coded_self_test(); }\n'
    )
    (tmp_path / "top" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(firmware C)\nadd_subdirectory(.. coded)\n"
        "add_executable(firmware main.c ../coded_self_test.c)\n"
        "target_compile_definitions(firmware PRIVATE CODED_SELF_TEST_WITHOUT_MAIN)\ntarget_link_libraries(firmware coded)\n"
    )
    options = ["-DCMAKE_SYSTEM_NAME=Generic", f"-DCMAKE_C_COMPILER={gcc}", f"-DCMAKE_C_FLAGS={flags} --specs=rdimon.specs"]
    for command in ([needs_tool("cmake"), "-S", "top", "-B", "made", *options], ["cmake", "--build", "made"]):
        made = done(command, tmp_path)
        assert made.returncode == 0, made.stderr
