"""The way of a person with a model and a board: int8 within a point, a gate, a C library, a firmware fed by a camera."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgeopt as package
from edgeopt.codegen.toolchain import bare_flags, compiler
from edgeopt.ir import Array
from edgeopt.runtime.firmware import build
from edgeopt.runtime.firmware import command as board_command
from edgeopt.target import target
from tests.edgeopt.command_line import CALIBRATION, DIGITS, EVALUATION, answered, edgeopt
from tests.edgeopt.runtime_oracle import SATURATES
from tests.edgeopt.test_microcontrollers import needs_board

WHERE = "cortex-m4"
CAMERA = "image=uint8,nhwc,mean=0,scale=0.00392156862745098"
FIRMWARE = """#include "digits.h"
#include "semihost.h"

static _Alignas(DIGITS_ALIGNMENT) unsigned char arena[DIGITS_ARENA_BYTES];

int main(void) {
  int camera = host_open("pixels.bin", READ_BYTES), log = host_open("digits.bin", WRITE_BYTES);
  while (!host_read(camera, arena + DIGITS_INPUT_0_OFFSET, DIGITS_INPUT_0_BYTES)) {
    if (digits_run(0, 0, arena, digits_weights)) return 1;
    const int8_t *logits = (const int8_t *)(arena + DIGITS_OUTPUT_0_OFFSET);
    unsigned char best = 0;
    for (unsigned char i = 1; i < DIGITS_OUTPUT_0_ELEMENTS; i++)
      if (logits[i] > logits[best]) best = i;
    if (host_write(log, &best, 1)) return 2;
  }
  return 0;
}
"""


def pixels(source: Path, folder: Path) -> Path:
    """The images of an archive as a camera gives them: bytes, channels last."""
    data = np.load(source)
    image = np.rint(255 * data["image"]).astype(np.uint8).transpose(0, 2, 3, 1)
    np.savez(folder / source.name, image=image, labels=data["labels"])
    return folder / source.name


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pixels and the artifact, compiled as the command line does it."""
    folder = tmp_path_factory.mktemp("board")
    data, calibration = pixels(EVALUATION, folder), pixels(CALIBRATION, folder)
    options = ("--quantize", "w8a8", "--max-drop", "1", "--input", CAMERA, "--interface", "codes,arena", "--self-test")
    given = ("--data", data, "--calibration", calibration, "--max-ram", "8k", "--max-flash", "80k")
    found = answered(edgeopt("compile", DIGITS, "-O2", "--target", WHERE, *options, *given, "-o", folder / "d", "--json"))
    assert found["quantization"]["before"] - found["quantization"]["after"] <= 1
    return folder


@pytest.fixture(scope="module")
def seen(made: Path) -> Array:
    """What a firmware on the emulated board decides of each image."""
    needs_board(WHERE)
    facts, model = target(WHERE), package.load(made / "d")
    build(model.files, model.manifest, facts, made / "d")  # what starts a program, and the places of the board
    (made / "d" / "firmware.c").write_text(FIRMWARE)
    np.load(made / EVALUATION.name)["image"].tofile(made / "d" / "pixels.bin")
    flags = ["-O2", "-std=gnu11", *bare_flags(facts), "-nostartfiles", "-static", "-T", "link.ld", "start.c"]
    for name, sources in (("test", ["digits_self_test.c"]), ("firmware", ["firmware.c"])):
        line = [*(compiler(facts) or []), *flags, *sources, "digits_weights.c", "libmodel.a", "-lm", "-o", f"{name}.elf"]
        for command in (line, board_command(facts, made / "d" / f"{name}.elf")):
            done = subprocess.run(command, cwd=made / "d", capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, (command, done.stderr)
    return np.fromfile(made / "d" / "digits.bin", np.uint8)


def test_the_gate_is_passed(made: Path) -> None:
    needs_board(WHERE)
    gate = ("--against", DIGITS, "--max-drop", "1", "--emulate", "--json")
    found = edgeopt("eval", made / "d", "--data", made / EVALUATION.name, *gate)
    assert found.exit_code == 0 and answered(found)["drop"]["percent"] <= 1


def test_the_firmware_decides_what_onnxruntime_decides(made: Path, seen: Array) -> None:
    runtime = pytest.importorskip("onnxruntime")
    exact = runtime.InferenceSession(DIGITS.read_bytes(), providers=["CPUExecutionProvider"])
    data = np.load(EVALUATION)
    right = np.concatenate([exact.run(None, {"image": image[None]})[0] for image in data["image"]]).argmax(1)
    assert np.mean(seen == right) >= 0.99


@pytest.mark.skipif(SATURATES, reason="onnxruntime saturates sums of two products of bytes on this processor")
def test_the_firmware_decides_what_onnxruntime_makes_of_its_codes(made: Path, seen: Array) -> None:
    runtime = pytest.importorskip("onnxruntime")
    coded = runtime.InferenceSession(package.load(made / "d").onnx().SerializeToString(), providers=["CPUExecutionProvider"])
    camera = np.load(made / EVALUATION.name)["image"]
    same = np.concatenate([coded.run(None, {"image": image[None]})[0] for image in camera]).argmax(1)
    np.testing.assert_array_equal(seen, same)
