"""What to tell whoever runs a model that was compiled for another processor."""

from __future__ import annotations

from edgeopt.runtime.manifest import Manifest
from edgeopt.target import Target, host


def foreign(target: Target, manifest: Manifest) -> str:
    """Why a model for ``target`` cannot be run in this process, and what to do."""
    why = f"the model is compiled for '{target.name}' and cannot run in this process"
    if target.architecture != host().architecture:
        return f"{why}; the commands run, eval and verify do so in an emulator: add --emulate"
    again = f"edgeopt compile {manifest.get('model') or 'MODEL'}.onnx --target host -O{manifest.get('level', 1)} -o DIR"
    if not target.lacking:
        return f"{why}, since it has only the C library; compile it for this process: {again}"
    return f"{why}: this processor lacks {', '.join(target.lacking)}; compile it again on this machine: {again}"
