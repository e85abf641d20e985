"""Runs a model compiled for another processor under qemu: user-mode emulation, or an emulated board for microcontrollers."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edgeopt.codegen.toolchain import invoke, prefix
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, numpy_dtype
from edgeopt.runtime.firmware import board, build
from edgeopt.runtime.firmware import command as board_command
from edgeopt.runtime.interface import held, to_codes, to_reals
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.ports import checked, sample_count
from edgeopt.target import Target

_QEMU = {"aarch64": "qemu-aarch64", "armv7": "qemu-arm", "x86_64": "qemu-x86_64"}


class Emulator:
    """A compiled model built into an executable; ``run`` is like ``CompiledModel.run``. Use as a context manager."""

    def __init__(self, compiled: CompiledModel) -> None:
        self.compiled = compiled
        self.target = Target(**compiled.manifest["target"])
        self._folder = tempfile.TemporaryDirectory(prefix="edgeopt-emulate-")
        self._program = self._build(Path(self._folder.name))

    def _build(self, folder: Path) -> Path:
        if "libmodel.a" not in self.compiled.files:
            raise EdgeoptError("the model has no C library; compile it for another target or with --emit c-library")
        emulator(self.target)  # for its error, before anything is built
        return build(self.compiled.files, self.compiled.manifest, self.target, folder)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name; inputs may hold several samples along the leading axis. All run in one process.

        What are codes for the library are floats here.
        """
        arrays = checked(inputs, self.compiled.inputs)
        count = sample_count(arrays, self.compiled.inputs, self.compiled.outputs)
        names = [port.name for port in self.compiled.inputs]
        arrays = list(to_codes(dict(zip(names, arrays, strict=True)), self.compiled.manifest).values())
        samples = zip(*(np.split(a, count) if count > 1 else [a] for a in arrays), strict=True) if arrays else [()] * count
        self.feed(b"".join(np.ascontiguousarray(array).tobytes() for sample in samples for array in sample))
        batches = self._results(count)
        names = [o["name"] for o in self.compiled.manifest["outputs"]]
        made = {name: np.concatenate([b[i] for b in batches]) if count > 1 else batches[0][i] for i, name in enumerate(names)}
        return to_reals(made, self.compiled.manifest)

    def feed(self, data: bytes, options: Sequence[str] = ()) -> None:
        """Execute the program on the samples in ``data``, with further ``options`` of an emulated board."""
        (self._program.parent / "in.bin").write_bytes(data)
        bare = self.target.bare
        known = board_command(self.target, self._program, options) if bare else [*emulator(self.target), str(self._program)]
        invoke(known, self._program.parent)

    @property
    def folder(self) -> Path:
        """Where the program and its files lie."""
        return self._program.parent

    def _results(self, count: int) -> list[list[Array]]:
        about = [held(port, self.compiled.manifest) for port in self.compiled.manifest["outputs"]]
        data = (self._program.parent / "out.bin").read_bytes()
        sizes = [_bytes(o) for o in about]
        if len(data) != count * sum(sizes):
            raise EdgeoptError(
                f"the library wrote {len(data):,} bytes for {count} samples, its manifest says {sum(sizes)} for each"
            )
        found, at = [], 0
        for _ in range(count):
            found.append([_array(data[at + sum(sizes[:i]) :][: sizes[i]], o) for i, o in enumerate(about)])
            at += sum(sizes)
        return found

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()


def _bytes(about: Manifest) -> int:
    if about["shape"] is None:
        raise EdgeoptError(f"the shape of '{about['name']}' is not static")
    return int(math.prod(about["shape"])) * numpy_dtype(about["dtype"]).itemsize


def _array(data: bytes, about: Manifest) -> Array:
    return np.frombuffer(data, numpy_dtype(about["dtype"])).reshape(about["shape"])


def emulator(target: Target) -> list[str]:
    """The command in front of programs of ``target``: nothing on the host itself, else qemu with the target's libraries."""
    if target.runs_here:
        return []
    if target.bare:
        return [board(target).emulator]
    name = _QEMU.get(target.triple.split("-")[0], "")
    found = shutil.which(name) if name else None
    if found is None:
        raise EdgeoptError(f"no emulator for {target.triple}; install Debian's qemu-user")
    return [found, "-L", f"/usr/{prefix(target)}"]
