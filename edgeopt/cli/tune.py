"""``edgeopt tune``: train a network in the forms it will have, and compile it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say

if TYPE_CHECKING:
    from edgeopt.runtime.model import CompiledModel

RECIPE = "How it is trained: the name of a recipe that is shipped, or a TOML file of one's own."
TRAIN = "Samples to train on (npz): arrays named like the inputs, and labels when there are any."
CHECKPOINTS = "Folder of checkpoints, from which a training that was stopped goes on."
MINUTES = "So many epochs of the recipe as fit into this time at the pace of the first steps. It bounds the steps alone: half a "
MINUTES += "minute and more goes by before and after them."
TEACHER = "A network to follow in place of MODEL itself, which is then a smaller student with the same inputs and outputs."


@click.command()
@click.argument("model", type=options.MODEL)
@click.option("--train", "train", type=options.EXISTING_FILE, required=True, metavar="FILE.npz", help=TRAIN)
@click.option("--recipe", default="finetune", show_default=True, metavar="NAME|FILE.toml", help=RECIPE)
@options.data
@click.option("--epochs", type=options.Real(min=0, min_open=True), help="In place of those of the recipe.")
@click.option("--minutes", type=options.Real(min=0, min_open=True), help=MINUTES)
@click.option("--batch", type=click.IntRange(min=1), help="Samples of a step, in place of those of the recipe.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the order of samples and of what is held out."
)
@click.option("--checkpoints", type=options.NEW, help=CHECKPOINTS)
@click.option("--teacher", type=options.EXISTING_FILE, metavar="FILE.onnx", help=TEACHER)
@click.option("-o", "--output", type=options.NEW, help="Directory to write.  [default: MODEL.edgeopt]")
@click.option("-O", "level", type=click.IntRange(1, 2), default=1, show_default=True, help="Optimization.")
@options.target
@options.shapes
@options.backend
@options.as_json
def tune(
    model: Path,
    train: Path,
    recipe: str,
    data: Path | None,
    epochs: float | None,
    minutes: float | None,
    batch: int | None,
    seed: int,
    checkpoints: Path | None,
    teacher: Path | None,
    output: Path | None,
    level: int,
    target: str,
    shapes: dict[str, tuple[int, ...]],
    backend: str,
    as_json: bool,
) -> None:
    """Train MODEL.onnx on FILE.npz, pruned, shared or quantized on the way, and compile it."""
    from edgeopt.cli.training import shown, told_how_to_go_on
    from edgeopt.runtime.folder import refuse_foreign
    from edgeopt.tuning import tune as tune_model

    directory = output or Path(f"{model.stem}.edgeopt")
    refuse_foreign(directory)  # before the work, not after it
    with told_how_to_go_on(checkpoints), shown() as listener:
        made = tune_model(
            model,
            train,
            recipe,
            data=data,
            level=level,
            target=target,
            shapes=shapes,
            epochs=epochs,
            batch=batch,
            seed=seed,
            checkpoints=checkpoints,
            listener=listener,
            teacher=teacher,
            minutes=minutes,
            backend=backend,
        )
    made.save(directory)
    answer({"output": directory, "compression": made.manifest["compression"]})
    _show(made)
    note(f"wrote {directory}: weights.bin {len(made.files.get('weights.bin', b'')):,} bytes")


def _show(made: CompiledModel) -> None:
    from edgeopt.report.compression import COLUMNS, NUMBERS, rows, summary

    for line in made.manifest["notes"]:
        note(f"note: {line}")
    record = made.manifest["compression"]
    print_table(COLUMNS, rows(record), title=f"recipe {record['recipe']}", numbers=NUMBERS)
    say(summary(record))
