"""``edgeopt explore``: the Pareto front of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, working
from edgeopt.cli.limits import parse_time

if TYPE_CHECKING:
    from edgeopt.explore.point import Point

TRIALS = "Trials in all, with those that the journal beside FRONT.json has already."
TIME = "No trial but the first begins later after the start; to price all forms of all layers counts to that."
WORKERS = "Trials at a time, each in a process of its own."
RAY = "Address of a Ray cluster that runs the trials, or local to start one here; needs pip install 'edgeopt[ray]'."


@click.command()
@click.argument("model", type=options.MODEL)
@click.option("--data", type=options.EXISTING_FILE, metavar="FILE.npz", required=True, help=options.DATA)
@options.calibration
@options.target
@options.shapes
@click.option(
    "-o", "--output", type=options.NEW, default=Path("front.json"), show_default=True, help="File to write, and its page."
)
@click.option("--trials", type=click.IntRange(min=1), default=100, show_default=True, help=TRIALS)
@click.option("--time", "seconds", callback=parse_time, metavar="30m", help=TIME)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help=WORKERS)
@click.option("--ray", metavar="ADDRESS|local", help=RAY)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of samples and proposals.")
@options.accept_chance
@options.as_json
def explore(
    model: Path,
    data: Path,
    calibration: Path | None,
    target: str,
    shapes: dict[str, tuple[int, ...]],
    output: Path,
    trials: int,
    seconds: float | None,
    workers: int,
    ray: str | None,
    seed: int,
    accept_chance: bool,
    as_json: bool,
) -> None:
    """Look for networks of which no other is as accurate, fast, small, saving and thrifty of RAM; needs edgeopt[explore].

    Every trial is kept in FRONT.json.journal, from which the same command goes on. `edgeopt select FRONT.json` chooses a point.
    """
    from edgeopt.explore.exploration import explore as look
    from edgeopt.files import refuse_place, replacing
    from edgeopt.report.front import COLUMNS, front_page, row

    refuse_place(output)
    if output.suffix == ".html":
        raise click.UsageError(f"'{output}' is where the page of the front goes; name the front itself, as in front.json")
    named = {
        "target": target,
        "shapes": shapes,
        "trials": trials,
        "seconds": seconds,
        "workers": workers,
        "ray": ray,
        "seed": seed,
        "accept_chance": accept_chance,
    }
    with working(f"exploring {model.name}"):
        journal = output.with_name(f"{output.name}.journal")
        found = look(model, data, calibration, journal=journal, told=_tell(trials), **named)  # type: ignore[arg-type]
    record = {"model": found.model, "target": found.target, "trials": found.trials, "exact": found.exact.record()}
    points = [point.record() for point in found.points]
    page = front_page({**record, "points": points})
    for path, text in ((output, found.text()), (output.with_suffix(".html"), page)):
        with replacing(path) as stream:
            stream.write(text.encode())
    rows = [row(str(k), point) for k, point in enumerate(points)]
    print_table(COLUMNS, [*rows, row("exact", record["exact"])], numbers=range(1, 7))  # type: ignore[arg-type]
    answer({**record, "output": output, "points": points})
    note(f"wrote {output} and {output.with_suffix('.html')}: {len(points)} points of {found.trials} trials")


def _tell(trials: int) -> object:
    def told(done: int, point: Point) -> None:
        if done % 10 == 0:
            note(
                f"{done} of {trials} trials; the last: {point.accuracy:.2f} %, {1e3 * point.latency:.4g} ms, {point.size:,.0f} B"
            )

    return told
