"""Raises old models to opset 13, the oldest that passes and kernels know."""

from __future__ import annotations

import subprocess
import sys

from onnx import ModelProto

from edgeopt.frontend.detach import rewrite_detached

OLDEST = 13
OLDEST_IR_VERSION = 7  # the IR version that came with opset 13
SECONDS = 120
CONVERT = """
import sys, onnx.version_converter
model = onnx.ModelProto.FromString(sys.stdin.buffer.read())
sys.stdout.buffer.write(onnx.version_converter.convert_version(model, int(sys.argv[1])).SerializeToString())
"""


def raise_opset(model: ModelProto) -> tuple[ModelProto, str]:
    """``model`` at opset 13 or above, and a note when that changed it. Raises EdgeoptError when the conversion fails."""
    entry = next(entry for entry in model.opset_import if entry.domain == "")
    old = entry.version
    if old >= OLDEST:
        return model, ""
    # Below IR version 4 an initializer must be an input as well; here it is a constant.
    model.ir_version = max(model.ir_version, OLDEST_IR_VERSION)
    del model.graph.value_info[:]
    result = rewrite_detached(model, _convert, f"the model of opset {old} cannot be raised to opset {OLDEST}")
    return result, f"opset raised from {old} to {OLDEST}"


def _convert(model: ModelProto) -> ModelProto:
    """The native converter aborts the process on some damaged models, so it runs in one of its own."""
    command = [sys.executable, "-P", "-c", CONVERT, str(OLDEST)]
    try:
        done = subprocess.run(command, input=model.SerializeToString(), capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the converter of onnx did not end within {SECONDS} s") from error
    if done.returncode < 0:
        raise RuntimeError("the converter of onnx crashed on it")
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    converted = ModelProto()
    converted.ParseFromString(done.stdout)
    return converted
