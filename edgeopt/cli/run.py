"""``edgeopt run``: a compiled model on the arrays of a file."""

from __future__ import annotations

from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, warn, working
from edgeopt.files import refuse_place


@click.command()
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--input", "source", type=options.EXISTING_FILE, required=True, help="npz file with one array per input.")
@click.option("--output", "destination", type=options.NEW, required=True, help="npz file to write, one array per output.")
@options.threads
@options.emulate
@options.key
@options.as_json
def run(directory: Path, source: Path, destination: Path, threads: int, emulate: bool, key: Path | None, as_json: bool) -> None:
    """Run the compiled model in DIRECTORY; the leading axis of the arrays counts samples.

    It holds native code: run only what you trust, or give --key.
    """
    from edgeopt import npz
    from edgeopt.evaluate.data import nan_in
    from edgeopt.examine.execution import execution
    from edgeopt.runtime.artifact import load

    refuse_place(destination)  # before the work, not after it
    model = load(directory, key)
    inputs = npz.read(source, [about["name"] for about in model.manifest["inputs"]])
    for name, array in inputs.items():
        if found := nan_in(array):
            warn(f"array '{name}' of '{source}' holds NaN in {found}; what the network makes of that says nothing")
    with working(f"running {directory.name}"), execution(model, emulate, threads) as execute:
        outputs = execute(inputs)
    npz.write(destination, outputs)
    ports = {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in outputs.items()}
    answer({"output": destination, "outputs": ports})
    shown = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in outputs.items())
    note(f"wrote {destination}: {shown}")
