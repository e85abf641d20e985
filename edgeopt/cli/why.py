"""``edgeopt why``: which layer costs the accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, print_table, say, working

if TYPE_CHECKING:
    from edgeopt.search.why import LayerBlame

LEVEL = 3  # times are those of what -O3 compiles
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
@click.argument("model", type=options.EXISTING_FILE)
@options.data
@options.calibration
@options.shapes
@options.target
@click.option("--quantize", default="w8a8", show_default=True, metavar="SCHEME", help="The scheme to look into.")
@click.option("--samples", type=click.IntRange(min=1), default=64, show_default=True, help="Samples to evaluate each layer on.")
@options.as_json
def why(
    model: Path,
    data: Path | None,
    calibration: Path | None,
    shapes: dict[str, tuple[int, ...]],
    target: str,
    quantize: str,
    samples: int,
    as_json: bool,
) -> None:
    """Say for each layer of MODEL.onnx what quantising it does to its own output and to the decisions of the network.

    'own' is the signal-to-noise ratio at the layer's output, 'alone' the effect on the network when only this layer is quantised,
    'others' when every layer but this one is; 'pp' are percentage points of accuracy, or of equal decisions without labels.
    Times are measured here for the host, and estimated for another target.
    """
    from edgeopt.evaluate.data import generated, read
    from edgeopt.forms.quantize.plan import make_plan
    from edgeopt.frontend import load
    from edgeopt.pipeline import optimize
    from edgeopt.search.run import scheme_for
    from edgeopt.search.why import blame, suggestion
    from edgeopt.target import target as find_target

    graph, facts = load(model, shapes), find_target(target)
    optimize(graph)
    wanted = scheme_for(quantize, facts)
    evaluation = generated(graph) if data is None else read(data, graph)
    calibrating = read(calibration, graph) if calibration is not None else None
    if calibrating is None:
        calibrating, evaluation = evaluation.split()
    with working(f"quantising {model.name} layer by layer"):
        whole, rows = blame(graph, make_plan(graph, calibrating, wanted), evaluation.subset(samples), facts, LEVEL)
    if as_json:
        options.print_json({"signal_to_noise": whole, "suggestion": suggestion(whole, rows), "layers": [asdict(r) for r in rows]})
        return
    print_table(COLUMNS, [_cells(r) for r in rows], numbers=range(1, len(COLUMNS)))
    if data is None:
        note("note: without --data the figures are those of generated inputs")
    say(f"whole network {whole:.1f} dB; {suggestion(whole, rows)}")


def _cells(row: LayerBlame) -> tuple[str, ...]:
    ratios = [f"{v:.1f}" for v in (row.own, row.alone_ratio, row.without_ratio)]
    points = [f"{v:+.2f}" for v in (row.alone, row.without)]
    sizes = [f"{v:,}" for v in (row.macs, row.bytes_before, row.bytes_after)]
    times = [f"{1e6 * v:,.1f}" for v in (row.seconds_before, row.seconds_after)]
    return (row.layer, ratios[0], ratios[1], points[0], ratios[2], points[1], *sizes, *times)
