"""``edgeopt run``: a compiled model on the arrays of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, working

if TYPE_CHECKING:
    from edgeopt.ir import Array


@click.command()
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--input", "source", type=options.EXISTING_FILE, required=True, help="npz file with one array per input.")
@click.option("--output", "destination", type=options.NEW, required=True, help="npz file to write, one array per output.")
@options.threads
@options.emulate
def run(directory: Path, source: Path, destination: Path, threads: int, emulate: bool) -> None:
    """Run the compiled model in DIRECTORY; the leading axis of the arrays counts samples."""
    from edgeopt.cli.execution import execution
    from edgeopt.cli.samples import read_npz
    from edgeopt.runtime.artifact import load

    model = load(directory)
    inputs = read_npz(source, [about["name"] for about in model.manifest["inputs"]])
    with working(f"running {directory.name}"), execution(model, emulate, threads) as execute:
        outputs = execute(inputs)
    _write(destination, outputs)
    shown = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
    note(f"wrote {destination}: {shown}")


def _write(destination: Path, outputs: dict[str, Array]) -> None:
    """Write aside, then rename, so that no partial file is left."""
    import numpy as np

    from edgeopt.errors import EdgeoptError

    aside = destination.with_name(f".{destination.name}.part")
    try:
        with aside.open("wb") as file:
            np.savez(file, **outputs)  # type: ignore[arg-type]
        aside.replace(destination)
    except OSError as error:
        raise EdgeoptError(f"cannot write '{destination}': {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
