"""``edgeopt compress``: prune, share and code in one command, with a table of what every layer takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, progressing, say
from edgeopt.cli.onnx_file import write_compressed
from edgeopt.cli.unused_options import refuse_unused

if TYPE_CHECKING:
    from edgeopt.runtime.model import CompiledModel

RECIPE = "What is tried, for which layers: the name of a recipe that is shipped, or a TOML file of one's own."
EMIT = "onnx: write the compressed model for other runtimes in place of a directory: weights are pruned and shared, not coded."
MAX_DROP = "Percentage points of accuracy (without labels: of equal decisions) that may be lost."


@click.command()
@click.argument("model", type=options.MODEL)
@click.option("--recipe", default="deep-compression", show_default=True, metavar="NAME|FILE.toml", help=RECIPE)
@options.data
@options.calibration
@click.option("--max-drop", type=options.Points(min=0), default=1.0, show_default=True, metavar="PP", help=MAX_DROP)
@click.option("-o", "--output", type=options.NEW, help="Directory to write, or file with --emit onnx.  [default: MODEL.edgeopt]")
@options.level
@options.target
@options.shapes
@options.accept_chance
@options.no_onnx
@options.backend
@click.option("--emit", type=click.Choice(["onnx"]), help=EMIT)
@options.as_json
def compress(
    model: Path,
    recipe: str,
    data: Path | None,
    calibration: Path | None,
    max_drop: float,
    output: Path | None,
    level: int,
    target: str,
    shapes: dict[str, tuple[int, ...]],
    accept_chance: bool,
    no_onnx: bool,
    backend: str,
    emit: str | None,
    as_json: bool,
) -> None:
    """Compile MODEL.onnx with small weights: pruned, shared and coded within a budget."""
    from edgeopt.compression import compress as compress_model
    from edgeopt.runtime.folder import refuse_foreign

    if emit is not None:
        if no_onnx:
            raise click.UsageError("--no-onnx leaves out of the artifact what --emit onnx writes instead of one")
        refuse_unused(("backend",), "--emit onnx writes no code")
        with progressing(f"compressing {model.name}"):
            return write_compressed(model, output, recipe, (level, target, shapes), (data, calibration, max_drop))
    directory = output or Path(f"{model.stem}.edgeopt")
    refuse_foreign(directory)  # before the work, not after it
    given = {"data": data, "calibration": calibration, "max_drop": max_drop, "level": level, "target": target, "shapes": shapes}
    with progressing(f"compressing {model.name}"):
        how = {"onnx": not no_onnx, "accept_chance": accept_chance, "backend": backend}
        made = compress_model(model, recipe, **how, **given)  # type: ignore[arg-type]
        made.save(directory)
    _show(made)
    answer(
        {"output": directory, "weights_file_bytes": _bytes(made, "weights.bin"), "compression": made.manifest.get("compression")}
    )
    note(f"wrote {directory}: weights.bin {_bytes(made, 'weights.bin'):,} bytes, filled up and packed as kernels read them")
    return None


def _bytes(made: CompiledModel, name: str) -> int:
    return len(made.files.get(name, b""))


def _show(made: CompiledModel) -> None:
    from edgeopt.report.compression import COLUMNS, CORRECTED, NUMBERS, corrected, onnx_share, rows, summary
    from edgeopt.runtime.reading import MODEL, WEIGHTS

    for line in made.manifest["notes"]:
        note(f"note: {line}")
    record = made.manifest.get("compression")
    if record:
        print_table(COLUMNS, rows(record), title=f"recipe {record['recipe']}", numbers=NUMBERS)
        if (row := corrected(record)) is not None:
            print_table(CORRECTED, [row], title="the whole network", numbers=range(5))
        say(summary(record))
        if (reach := (made.manifest.get("quantization") or {}).get("reach")) is not None:
            say(f"of samples that were not seen at most {reach:.2f} points may be lost, 95 % sure; 'edgeopt eval' counts them")
        if hint := onnx_share(made.manifest["storage"]["tensors"], _bytes(made, MODEL), _bytes(made, WEIGHTS)):
            say(hint)
