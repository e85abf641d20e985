"""``edgeopt run``: a compiled model on the arrays of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, working

if TYPE_CHECKING:
    from edgeopt.ir import Array
    from edgeopt.runtime import CompiledModel


@click.command()
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--input", "source", type=options.EXISTING_FILE, required=True, help="npz file with one array per input.")
@click.option("--output", "destination", type=options.NEW, required=True, help="npz file to write, one array per output.")
@options.threads
@click.option("--emulate", is_flag=True, help="Run a model compiled for another processor under qemu.")
def run(directory: Path, source: Path, destination: Path, threads: int, emulate: bool) -> None:
    """Run the compiled model in DIRECTORY; the leading axis of the arrays counts samples."""
    import numpy as np

    from edgeopt.artifact import load
    from edgeopt.cli.samples import read_npz
    from edgeopt.errors import EdgeoptError

    model = load(directory)
    inputs = read_npz(source, [about["name"] for about in model.manifest["inputs"]])
    with working(f"running {directory.name}"):
        outputs = _emulated(model, inputs) if emulate else model.run(inputs, threads=threads)
    try:
        with destination.open("wb") as file:
            np.savez(file, **outputs)  # type: ignore[arg-type]
    except OSError as error:
        raise EdgeoptError(f"cannot write '{destination}': {error.strerror}") from error
    shown = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
    note(f"wrote {destination}: {shown}")


def _emulated(model: CompiledModel, inputs: dict[str, Array]) -> dict[str, Array]:
    from edgeopt.emulate import Emulator

    with Emulator(model) as emulator:
        return emulator.run(inputs)
