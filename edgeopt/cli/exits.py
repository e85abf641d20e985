"""``edgeopt exits``: leave a network early where a small classifier inside it is sure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, working

MEAN_COST = "In place of --max-drop: the share of the multiply-accumulates that an inference may take on average."
CONFIDENCE = "How sure a head is: by its largest probability, the distance to the second, or how small the entropy is."
MAX_DROP = "Percentage points that may be lost, as a one-sided bound of 95 % on held-out samples."


@click.command()
@click.argument("model", type=options.MODEL)
@options.level
@options.target
@options.shapes
@click.option(
    "--data", type=options.EXISTING_FILE, required=True, metavar="FILE.npz", help="Samples that the network was not trained on."
)
@options.calibration
@click.option("--max-drop", type=options.Real(0, 100), default=1.0, show_default=True, help=MAX_DROP)
@click.option("--mean-cost", type=options.Real(0, 1, min_open=True), metavar="SHARE", help=MEAN_COST)
@click.option(
    "--confidence", type=click.Choice(("margin", "probability", "entropy")), default="margin", show_default=True, help=CONFIDENCE
)
@options.accept_chance
@options.backend
@click.option("-o", "output", type=options.NEW, metavar="DIR", help="Write the compiled model here.")
@options.as_json
def exits(
    model: Path,
    level: int,
    target: str,
    shapes: dict[str, tuple[int, ...]],
    data: Path,
    calibration: Path | None,
    max_drop: float,
    mean_cost: float | None,
    confidence: str,
    accept_chance: bool,
    backend: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Fit early exits to MODEL.onnx, choose one threshold for them within the budget, and compile it with If in its place.

    The compiled model has a second output, NAME.exit: where each sample left.
    """
    from edgeopt.examine.exits import with_exits
    from edgeopt.forms.exit.threshold import Goal
    from edgeopt.runtime.folder import refuse_foreign

    if output is not None:
        refuse_foreign(output)  # before the work, not after it
    with working(f"fitting exits of {model.name}"):
        goal = Goal(max_drop, mean_cost)
        how = (level, target, shapes, confidence, accept_chance, backend)
        found, compiled = with_exits(model, data, calibration, goal, *how)
    if found is None or compiled is None:
        within = f"{max_drop:g} percentage points" if mean_cost is None else f"{mean_cost:g} of the multiply-accumulates"
        note(f"no exit saves anything within {within}")
        raise click.exceptions.Exit(1)
    answer(compiled.manifest["exits"])
    print_exits(compiled.manifest["exits"])
    latency = compiled.manifest["exits"]["latency"]
    if latency is not None and latency["with_exits"]["mean"] > latency["plain"]["mean"]:
        note("note: an inference takes longer with exits than without on average here: what they save is less than heads take")
    if output is not None:
        compiled.save(output)
        note(f"wrote {output}")


def print_exits(record: Mapping[str, Any]) -> None:
    """Tables of where samples leave and of what an inference takes."""
    from edgeopt.report.exits import EXITS, LATENCY, exit_rows, latency_rows, sentence

    print_table(EXITS, exit_rows(record), numbers=(1, 2, 3))
    say(sentence(record))
    if record["latency"] is not None:
        print_table(LATENCY, latency_rows(record["latency"]), numbers=(1, 2, 3, 4))
