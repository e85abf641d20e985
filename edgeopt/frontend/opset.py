"""Raises old models to opset 13, the oldest that passes and kernels know."""

from __future__ import annotations

from onnx import ModelProto, version_converter

from edgeopt.frontend.detach import rewrite_detached

OLDEST = 13
OLDEST_IR_VERSION = 7  # the IR version that came with opset 13


def raise_opset(model: ModelProto) -> tuple[ModelProto, str]:
    """``model`` at opset 13 or above, and a note when that changed it. Raises EdgeoptError when the conversion fails."""
    entry = next(entry for entry in model.opset_import if entry.domain == "")
    old = entry.version
    if old >= OLDEST:
        return model, ""
    # Below IR version 4 an initializer must be an input as well; here it is a constant.
    model.ir_version = max(model.ir_version, OLDEST_IR_VERSION)
    del model.graph.value_info[:]
    what = f"the model of opset {old} cannot be raised to opset {OLDEST}"
    result = rewrite_detached(model, lambda m: version_converter.convert_version(m, OLDEST), what)
    return result, f"opset raised from {old} to {OLDEST}"
