"""``edgeopt why``: which layer costs the accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, working

if TYPE_CHECKING:
    from edgeopt.search.why import LayerBlame

COLUMNS = (
    "layer",
    "own dB",
    "alone dB",
    "alone pp",
    "others dB",
    "others pp",
    "MACs",
    "bytes",
    "quantised",
    "µs",
    "quantised µs",
)


@click.command()
@click.argument("model", type=options.MODEL)
@options.data
@options.calibration
@options.shapes
@options.target
@click.option("--quantize", default="w8a8", show_default=True, metavar="SCHEME", help="The scheme to look into.")
@click.option("--samples", type=click.IntRange(min=1), default=64, show_default=True, help="Samples to evaluate each layer on.")
@options.accept_chance
@options.as_json
def why(
    model: Path,
    data: Path | None,
    calibration: Path | None,
    shapes: dict[str, tuple[int, ...]],
    target: str,
    quantize: str,
    samples: int,
    accept_chance: bool,
    as_json: bool,
) -> None:
    """Say for each layer of MODEL.onnx what quantising it does to its own output and to the decisions of the network.

    'own' is the signal-to-noise ratio at the layer's output, 'alone' the effect on the network when only this layer is quantised,
    'others' when every layer but this one is; 'pp' are percentage points of accuracy, or of equal decisions without labels.
    Times are measured here for the host, and estimated for another target.
    """
    from edgeopt.examine.losses import why as examine

    with working(f"quantising {model.name} layer by layer"):
        found = examine(
            model,
            data,
            calibration,
            shapes=shapes,
            target=target,
            quantize=quantize,
            samples=samples,
            accept_chance=accept_chance,
        )
    if as_json:
        answer(asdict(found))
        return
    print_table(COLUMNS, [_cells(r) for r in found.layers], numbers=range(1, len(COLUMNS)))
    if data is None:
        note("note: without --data the figures are those of generated inputs")
    say(f"whole network {found.signal_to_noise:.1f} dB; {found.suggestion}")


def _cells(row: LayerBlame) -> tuple[str, ...]:
    ratios = [f"{v:.1f}" for v in (row.own, row.alone_ratio, row.without_ratio)]
    points = [f"{v:+.2f}" for v in (row.alone, row.without)]
    sizes = [f"{v:,}" for v in (row.macs, row.bytes_before, row.bytes_after)]
    times = [f"{1e6 * v:,.1f}" for v in (row.seconds_before, row.seconds_after)]
    return (row.layer, ratios[0], ratios[1], points[0], ratios[2], points[1], *sizes, *times)
