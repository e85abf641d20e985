"""Runs a model compiled for another processor under qemu's user-mode emulation, through the C example it ships with."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgeopt.codegen.toolchain import compiler, invoke, missing, prefix
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, numpy_dtype
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count
from edgeopt.runtime.reading import WEIGHTS
from edgeopt.target import Target

_QEMU = {"aarch64": "qemu-aarch64", "armv7": "qemu-arm", "x86_64": "qemu-x86_64"}


class Emulator:
    """A compiled model built into an executable; ``run`` is like ``CompiledModel.run``. Use as a context manager."""

    def __init__(self, compiled: CompiledModel) -> None:
        self.compiled = compiled
        self.target = Target(**compiled.manifest["target"])
        self._folder = tempfile.TemporaryDirectory(prefix="edgeopt-emulate-")
        self._command = [*emulator(self.target), str(self._build(Path(self._folder.name)))]

    def _build(self, folder: Path) -> Path:
        command = compiler(self.target)
        if command is None:
            raise EdgeoptError(missing(self.target))
        if "libmodel.a" not in self.compiled.files:
            raise EdgeoptError("the model has no C library; compile it for another target or with --emit c-library")
        for name in ("libmodel.a", "model.h", "example.c", WEIGHTS):
            (folder / name).write_bytes(self.compiled.files[name])
        invoke([*command, "-O2", "-std=c11", "-o", "example", "example.c", "libmodel.a", "-lm"], folder)
        return folder / "example"

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; inputs may hold several samples along the leading axis."""
        arrays = checked(inputs, self.compiled.inputs)
        count = sample_count(arrays, self.compiled.inputs, self.compiled.outputs)
        batches = [self._once([np.split(a, count)[k] if count > 1 else a for a in arrays]) for k in range(count)]
        names = [o["name"] for o in self.compiled.manifest["outputs"]]
        return {name: np.concatenate([b[i] for b in batches]) if count > 1 else batches[0][i] for i, name in enumerate(names)}

    def _once(self, arrays: list[Array]) -> list[Array]:
        folder, about = Path(self._folder.name), self.compiled.manifest["outputs"]
        for index, array in enumerate(arrays):
            (folder / f"in{index}").write_bytes(array.tobytes())
        ins, outs = [f"in{i}" for i in range(len(arrays))], [f"out{i}" for i in range(len(about))]
        invoke([*self._command, WEIGHTS, *ins, *outs], folder)
        return [_array((folder / f"out{i}").read_bytes(), o) for i, o in enumerate(about)]

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()


def _array(data: bytes, about: Manifest) -> Array:
    dtype = numpy_dtype(about["dtype"])
    if about["shape"] is None or len(data) != math.prod(about["shape"]) * dtype.itemsize:
        raise EdgeoptError(f"the library wrote {len(data):,} bytes for '{about['name']}', its manifest says {about['shape']}")
    return np.frombuffer(data, dtype).reshape(about["shape"])


def emulator(target: Target) -> list[str]:
    """The command in front of programs of ``target``: nothing on the host itself, else qemu with the target's libraries."""
    if target.runs_here:
        return []
    name = _QEMU.get(target.triple.split("-")[0], "")
    found = shutil.which(name) if name else None
    if found is None:
        raise EdgeoptError(f"no emulator for {target.triple}; install Debian's qemu-user")
    return [found, "-L", f"/usr/{prefix(target)}"]
