"""``edgeopt exits``: leave a network early where a small classifier inside it is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, working

if TYPE_CHECKING:
    from edgeopt.forms.exit.fitted import Exits

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
@click.option("--max-drop", type=click.FloatRange(0, 100), default=1.0, show_default=True, help=MAX_DROP)
@click.option("--mean-cost", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE", help=MEAN_COST)
@click.option(
    "--confidence", type=click.Choice(("margin", "probability", "entropy")), default="margin", show_default=True, help=CONFIDENCE
)
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
    output: Path | None,
    as_json: bool,
) -> None:
    """Fit early exits to MODEL.onnx, choose one threshold for them within the budget, and compile it with If in its place.

    The compiled model has a second output, NAME.exit: where each sample left.
    """
    from edgeopt.examine.exits import with_exits
    from edgeopt.forms.exit.threshold import Goal

    with working(f"fitting exits of {model.name}"):
        found, compiled = with_exits(model, data, calibration, Goal(max_drop, mean_cost), level, target, shapes, confidence)
    if found is None or compiled is None:
        within = f"{max_drop:g} percentage points" if mean_cost is None else f"{mean_cost:g} of the multiply-accumulates"
        note(f"no exit saves anything within {within}")
        raise click.exceptions.Exit(1)
    latency = compiled.manifest.get("exit_latency")
    answer({**_record(found), "latency": latency})
    _print(found)
    if latency is not None:
        _print_latency(latency)
    if output is not None:
        compiled.save(output)
        note(f"wrote {output}")


def _record(found: Exits) -> dict[str, Any]:
    return {
        "exits": [
            {"value": e.value, "depth": d, "features": str(e.features), "earlier": e.earlier}
            for e, d in zip(found.exits, found.depths, strict=False)
        ],
        "confidence": found.confidence,
        "threshold": found.chosen.threshold,
        "before": found.before,
        "chosen": asdict(found.chosen),
        "reported": asdict(found.reported),
        "curve": [asdict(point) for point in found.curve],
    }


def _print_latency(latency: Mapping[str, Any]) -> None:
    rows = {"without exits": latency["plain"], "with exits": latency["with_exits"]}
    cells = [(name, *(f"{1e6 * s:,.1f}" for s in (row["mean"], *row["percentiles"]))) for name, row in rows.items()]
    print_table(("µs", "mean", "50 %", "95 %", "99 %"), cells, numbers=(1, 2, 3, 4))


def _print(found: Exits) -> None:
    names = [*(f"exit {e.number}, {e.value}" for e in found.exits), "the end"]
    rows = zip(names, found.depths, found.reported.shares, found.reported.accuracies, strict=True)
    cells = [(name, f"{100 * depth:.1f}", f"{100 * share:.1f}", f"{right:.2f}") for name, depth, share, right in rows]
    print_table(("leaves at", "MACs %", "samples %", "right %"), cells, numbers=(1, 2, 3))
    seen, limit = found.reported, f"{found.confidence}, threshold {found.chosen.threshold:.4f}"
    say(
        f"{limit}: {found.before:.2f} % -> {seen.accuracy:.2f} % on samples that chose nothing "
        f"(bound where it was chosen: {found.chosen.bound:.2f} points), {100 * seen.macs:.1f} % of the multiply-accumulates"
    )
