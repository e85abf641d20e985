"""The C library of a compiled model: what it needs of the linker, what it refuses, and that it keeps no state."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

import edgeopt
from edgeopt.codegen.elf import Elf, archived
from edgeopt.runtime.reading import WEIGHTS
from tests.edgeopt.command_line import DIGITS
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.emulation import build, digits, execute, image, needs, needs_tool, unpack
from tests.edgeopt.small_models import convolution

ALLOWED = {"memcpy", "memset", "memmove", "expf", "logf", "powf", "sinf", "cosf", "tanhf", "floorf", "ceilf", "rintf", "roundf"}
RUN_TIME = "__aeabi_"  # 64-bit integer arithmetic on 32-bit Arm: part of its ABI, in the library every compiler links
TARGETS = ["host", "arm", "armv7"]
SMALL = 150_000


@pytest.mark.parametrize("name", [*TARGETS, "cortex-a53", "cortex-a76", "x86-64-v3"])
def test_the_object_asks_for_nothing_but_the_c_library(name: str) -> None:
    code = Elf(archived(digits(name).files["libmodel.a"]))
    others = code.undefined() - ALLOWED
    assert all(symbol.startswith(RUN_TIME) for symbol in others) if name == "armv7" else not others
    public = {s.name for s in code.symbols() if s.is_function and not s.undefined and s.name.startswith("digits_")}
    assert {"digits_run", "digits_init"} <= public
    assert not {name for name in code.sections() if name.startswith((".data", ".bss")) and ".rel.ro" not in name}


def test_the_elf_reader_agrees_with_nm(tmp_path: Path) -> None:
    nm = needs_tool("nm")
    (tmp_path / "model.o").write_bytes(code := archived(digits("host").files["libmodel.a"]))
    listed = subprocess.run([nm, "-u", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1] for line in listed.splitlines()} == Elf(code).undefined()


def test_the_shared_library_asks_for_nothing_else() -> None:
    needs("arm")
    undefined = {name.split("@")[0] for name in Elf(digits("arm").files["libmodel.so"]).undefined()}
    loader = {"__cxa_finalize", "__gmon_start__", "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"}
    assert undefined <= ALLOWED | loader


def test_the_code_is_small() -> None:
    assert Elf(archived(digits("cortex-a53").files["libmodel.a"])).loaded_bytes <= SMALL


def test_the_code_of_keyword_spotting_is_small(models: Path) -> None:
    compiled = edgeopt.compile(models / "models" / "mlperf_kws_dscnn.onnx", level=2, target="cortex-a53")
    code = Elf(archived(compiled.files["libmodel.a"]))
    assert code.loaded_bytes <= SMALL and code.undefined() <= ALLOWED


@pytest.mark.parametrize("name", TARGETS)
def test_the_example_builds_without_a_warning_and_agrees_with_the_host(name: str, tmp_path: Path) -> None:
    front = needs(name)
    program = build(name, unpack(digits(name), tmp_path), "example.c", "libmodel.a")
    (tmp_path / "in").write_bytes((x := image()).tobytes())
    result = execute([*front, str(program), WEIGHTS, "in", "out"], tmp_path)
    assert result.returncode == 0, result.stderr
    actual = np.frombuffer((tmp_path / "out").read_bytes(), np.float32)
    expected = digits("host").run({"image": x})["logits"][0]
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_the_makefile_builds_the_example(tmp_path: Path) -> None:
    make = needs_tool("make")
    needs("host")
    result = execute([make], unpack(digits("host"), tmp_path))
    assert result.returncode == 0 and (tmp_path / "example").is_file(), result.stderr


def test_the_header_is_c99_and_cplusplus(tmp_path: Path) -> None:
    gcc = needs_tool("gcc")
    unpack(digits("host"), tmp_path)
    for language in ("c99", "c++11"):
        flags = ["-x", language[:-2], f"-std={language}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
        (tmp_path / "uses.c").write_text('#include "model.h"\nint answer(void);\nint answer(void) { return DIGITS_OK; }\n')
        result = execute([gcc, *flags, "uses.c"], tmp_path)
        assert result.returncode == 0, result.stderr


def test_valgrind_finds_nothing(tmp_path: Path) -> None:
    valgrind, _ = needs_tool("valgrind"), needs("x86-64-v3")
    program = build("x86-64-v3", unpack(digits("x86-64-v3"), tmp_path), "example.c", "libmodel.a")
    (tmp_path / "in").write_bytes(image().tobytes())
    result = execute([valgrind, "-q", "--error-exitcode=9", "--leak-check=full", str(program), WEIGHTS, "in", "out"], tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_address_sanitizer_finds_nothing(tmp_path: Path) -> None:
    needs("host")
    program = build("host", unpack(digits("host"), tmp_path), "-fsanitize=address,undefined", "example.c", "libmodel.a")
    (tmp_path / "in").write_bytes(image().tobytes())
    result = execute([str(program), WEIGHTS, "in", "out"], tmp_path)
    assert result.returncode == 0 and not result.stderr, result.stderr


REFUSALS = """
#include <stdio.h>
#include <string.h>
#include "model.h"
static _Alignas(64) unsigned char arena[DIGITS_ARENA_BYTES + 64], weights[DIGITS_WEIGHTS_BYTES + 64], file[DIGITS_FILE_BYTES];
static float x[DIGITS_INPUT_0_ELEMENTS], y[DIGITS_OUTPUT_0_ELEMENTS];
int main(void) {
  const void *in[] = {x};
  void *out[] = {y};
  FILE *stream = fopen("weights.bin", "rb");
  if (!stream || fread(file, 1, sizeof file, stream) != sizeof file || fclose(stream)) return 100;
  if (digits_arena_bytes != DIGITS_ARENA_BYTES || digits_weights_bytes != DIGITS_WEIGHTS_BYTES) return 1;
  if (digits_init(file, sizeof file - 1, weights) != DIGITS_ERROR_SIZE) return 2;
  if (digits_init(NULL, sizeof file, weights) != DIGITS_ERROR_NULL) return 3;
  if (digits_init(file, sizeof file, NULL) != DIGITS_ERROR_NULL) return 4;
  file[sizeof file / 2] ^= 1;
  if (digits_init(file, sizeof file, weights) != DIGITS_ERROR_CHECKSUM) return 5;
  file[sizeof file / 2] ^= 1;
  if (digits_init(file, sizeof file, weights) != DIGITS_OK) return 6;
  if (digits_run(NULL, out, arena, weights) != DIGITS_ERROR_NULL) return 7;
  if (digits_run(in, NULL, arena, weights) != DIGITS_ERROR_NULL) return 8;
  if (digits_run(in, out, NULL, weights) != DIGITS_ERROR_NULL) return 9;
  if (digits_run(in, out, arena + 4, weights) != DIGITS_ERROR_ALIGNMENT) return 10;
  if (digits_run(in, out, arena, weights + 16) != DIGITS_ERROR_ALIGNMENT) return 11;
  if (digits_run(in, out, arena, NULL) != DIGITS_ERROR_NULL) return 12;
  return digits_run(in, out, arena, weights);
}
"""


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_wrong_is_refused_with_its_code(name: str, tmp_path: Path) -> None:
    front = needs(name)
    (unpack(digits(name), tmp_path) / "refusals.c").write_text(REFUSALS)
    program = build(name, tmp_path, "refusals.c", "libmodel.a")
    assert execute([*front, str(program)], tmp_path).returncode == 0


INTERLEAVED = """
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "model.h"
enum { RUNS = 200 };
static _Alignas(64) unsigned char arenas[2][DIGITS_ARENA_BYTES], weights[DIGITS_WEIGHTS_BYTES], file[DIGITS_FILE_BYTES];
static float x[2][DIGITS_INPUT_0_ELEMENTS], alone[2][DIGITS_OUTPUT_0_ELEMENTS], y[2][DIGITS_OUTPUT_0_ELEMENTS];
static int run(int i, float *to) {
  const void *in[] = {x[i]};
  void *out[] = {to};
  return digits_run(in, out, arenas[i], weights);
}
static void *work(void *index) {
  int i = *(int *)index;
  for (int k = 0; k < RUNS; k++)
    if (run(i, y[i]) || memcmp(y[i], alone[i], sizeof alone[i])) return index;
  return NULL;
}
int main(void) {
  int index[] = {0, 1};
  pthread_t threads[2];
  FILE *stream = fopen("weights.bin", "rb");
  if (!stream || fread(file, 1, sizeof file, stream) != sizeof file || fclose(stream)) return 100;
  if (digits_init(file, sizeof file, weights)) return 1;
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < DIGITS_INPUT_0_ELEMENTS; k++) x[i][k] = (float)((k * (i + 3)) % 7);
  memset(arenas[0], 0xA5, sizeof arenas[0]);
  for (int i = 0; i < 2; i++)
    if (run(i, alone[i])) return 2;
  if (!memcmp(alone[0], alone[1], sizeof alone[0])) return 3;
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, work, &index[i]);
  for (int i = 0; i < 2; i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    if (failed) return 4;
  }
  return 0;
}
"""


@pytest.mark.parametrize("name", TARGETS)
def test_two_arenas_run_at_once(name: str, tmp_path: Path) -> None:
    front = needs(name)
    (unpack(digits(name), tmp_path) / "interleaved.c").write_text(INTERLEAVED)
    program = build(name, tmp_path, "interleaved.c", "libmodel.a", "-pthread")
    assert execute([*front, str(program)], tmp_path).returncode == 0


BOTH = """
#include "digits.h"
#include "other.h"
int main(void) { return digits_arena_bytes && other_arena_bytes && (void *)digits_run != (void *)other_run ? 0 : 1; }
"""


def test_two_models_link_into_one_program(tmp_path: Path) -> None:
    front = needs("arm")
    onnx.save(convolution(), tmp_path / "other.onnx")
    for stem, model in (("digits", digits("arm")), ("other", edgeopt.compile(tmp_path / "other.onnx", target="arm"))):
        (tmp_path / f"lib{stem}.a").write_bytes(model.files["libmodel.a"])
        (tmp_path / f"{stem}.h").write_bytes(model.files["model.h"])
    (tmp_path / "both.c").write_text(BOTH.replace("(void *)", "(size_t)"))
    program = build("arm", tmp_path, "both.c", "libdigits.a", "libother.a")
    assert execute([*front, str(program)], tmp_path).returncode == 0


def test_the_command_line_emits_a_library_for_the_host(tmp_path: Path) -> None:
    result = command("compile", DIGITS, "-o", tmp_path / "digits.edgeopt", "--emit", "c-library")
    assert result.exit_code == 0, result.stderr
    assert {"libmodel.a", "model.h", "example.c", "Makefile"} <= {p.name for p in (tmp_path / "digits.edgeopt").iterdir()}
