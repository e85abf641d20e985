"""``edgeopt why``: which layer costs the accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, say, working
from edgeopt.cli.unused_options import refuse_unused
from edgeopt.report.times import microseconds

if TYPE_CHECKING:
    from edgeopt.examine.explained import LayerStory
    from edgeopt.search.why import LayerBlame

CURVE = "Print how sensitive each layer is to these forms (names as --forms takes them), each by itself; nothing else."
CURVE_COLUMNS = ("layer", "form", "bytes", "error", "step")
STORY = ("layer", "form", "made by", "error", "because")
SAVED = ("layer", "float µs", "µs", "bytes", "stored bytes")
ERRORS = ("layer", "own dB", "alone dB", "alone pp", "others dB", "others pp")
COSTS = ("layer", "MACs", "bytes", "changed", "µs", "changed µs")
CURVED = ("target", "quantize", "forms", "samples", "accept_chance")  # what --curve does not look into
EXAMINED = ("data", "calibration", "shapes", "curve", *CURVED)  # what says how to examine a file
FORMS = "Techniques or single forms to look into in place of a scheme, as in prune,w8a8: all layers that can take them do."


@click.command()
@click.argument("model", type=options.MODEL)
@options.data
@options.calibration
@options.shapes
@options.target
@click.option("--quantize", default="w8a8", show_default=True, metavar="SCHEME", help="The scheme to look into.")
@click.option("--forms", metavar="A,B", help=FORMS)
@click.option("--curve", metavar="FORMS", help=CURVE)
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
    forms: str | None,
    curve: str | None,
    samples: int,
    accept_chance: bool,
    as_json: bool,
) -> None:
    """Say for each layer of MODEL.onnx, or of a compiled DIR, what became of it, and what to change.

    Of a file it is what quantising, or other --forms, do to the layer's own output and to the decisions of the network.

    'own' is the signal-to-noise ratio at the layer's output, 'alone' the effect on the network when only this layer is changed,
    'others' when every layer but this one is; 'pp' are percentage points of accuracy, or of equal decisions without labels.
    Times are measured here for the host, and estimated for another target.
    """
    if forms is not None:
        refuse_unused(("quantize",), "--forms names what is looked into")
    if model.is_dir():
        refuse_unused(EXAMINED, f"'{model}' is compiled, and tells what became of it")
        _tell_story(model)
        return
    from edgeopt.examine.losses import why as examine

    if curve is not None:
        refuse_unused(CURVED, "--curve prints bytes and errors of its own forms, and nothing else")
        _show_curves(model, curve, calibration or data, shapes)
        return

    what = quantize if forms is None else forms
    with working(f"changing {model.name} to {what} layer by layer"):
        found = examine(
            model,
            data,
            calibration,
            shapes=shapes,
            target=target,
            quantize=quantize,
            forms=forms,
            samples=samples,
            accept_chance=accept_chance,
        )
    answer(asdict(found))
    print_table(
        ERRORS,
        [_errors(row) for row in found.layers],
        title=f"what {what} costs, on {found.samples} samples",
        numbers=range(1, 6),
    )
    print_table(COSTS, [_costs(row) for row in found.layers], title="what it saves", numbers=range(1, 6))
    if data is None:
        note("note: without --data the figures are those of generated inputs")
    say(f"whole network {found.signal_to_noise:.1f} dB, {found.change:+.2f} points; {found.suggestion}")
    for line in found.advice:
        say(line)


def _tell_story(directory: Path) -> None:
    """What became of each layer of a compiled model, and what to change."""
    from edgeopt.examine.explained import explain

    found = explain(directory)
    answer(asdict(found))
    print_table(("pass", "rewrites"), [(name, str(count)) for name, count in found.passes.items()], numbers=(1,))
    reasons = any(row.reason for row in found.layers)
    print_table(STORY if reasons else STORY[:-1], [_became(row, reasons) for row in found.layers], numbers=(3,))
    print_table(SAVED, [_saved(row) for row in found.layers], numbers=range(1, 5))
    for line in found.suggestions:
        say(line)


def _became(row: LayerStory, reasons: bool) -> tuple[str, ...]:
    error = "-" if row.error is None else f"{100 * row.error:.2f} %"
    return row.layer, row.form, ", ".join(row.passes), error, *([row.reason] if reasons else [])


def _saved(row: LayerStory) -> tuple[str, ...]:
    sizes = ["-" if size is None else f"{size:,}" for size in (row.bytes_before, row.bytes)]
    return row.layer, microseconds(row.seconds_before), microseconds(row.seconds), *sizes


def _show_curves(model: Path, forms: str, data: Path | None, shapes: dict[str, tuple[int, ...]]) -> None:
    """Bytes and errors of every form of every layer, and in which step of a search it would be taken."""
    from edgeopt.examine.curves import curves

    with working(f"changing {model.name} layer by layer"):
        found = curves(model, forms, data, shapes=shapes)
    answer({"points": [asdict(point) for point in found]})
    cells = [(p.layer, p.form, f"{p.bytes:,}", f"{p.error:.3g}", "" if p.step is None else str(p.step)) for p in found]
    print_table(CURVE_COLUMNS, cells, numbers=range(2, len(CURVE_COLUMNS)))


def _errors(row: LayerBlame) -> tuple[str, ...]:
    own, alone, without = (f"{v:.1f}" for v in (row.own, row.alone_ratio, row.without_ratio))
    return row.layer, own, alone, f"{row.alone:+.2f}", without, f"{row.without:+.2f}"


def _costs(row: LayerBlame) -> tuple[str, ...]:
    sizes = [f"{v:,}" for v in (row.macs, row.bytes_before, row.bytes_after)]
    return row.layer, *sizes, microseconds(row.seconds_before), microseconds(row.seconds_after)
