"""``edgeopt verify``: does the compiled model give the numbers of the original?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import loss, options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, working
from edgeopt.examine.tolerance import TOLERANCE

if TYPE_CHECKING:
    from edgeopt.examine.verification import Verification

TOLERATED = f"Largest error, as a share of the range.  [default: {TOLERANCE:g}; of approximate layers the budget counts]"
MAX_DROP = "Percentage points that approximate layers may lose.  [default: what the model was compiled for, or 1]"
ENGINE = "What runs the original.  [default: onnxruntime where installed, else the slow onnx.reference]"
ROUNDED = (
    "in quantised layers another engine may round a value between two codes to the other one: the tolerance is twice the most "
    "that such rounding moved here; --input FILE.npz holds the model to its budget on data instead"
)


@click.command()
@click.argument("original", type=options.MODEL)
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--input", "source", type=options.EXISTING, help="npz file, or a test_data_set_N folder with expected outputs.")
@click.option("--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Random samples, without --input.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random samples.")
@click.option("--tolerance", type=options.Real(min=0), metavar="SHARE", help=TOLERATED)
@click.option("--max-drop", type=options.Real(min=0), metavar="PP", help=MAX_DROP)
@click.option("--engine", type=click.Choice(["onnxruntime", "onnx.reference"]), help=ENGINE)
@options.emulate
@options.key
@options.as_json
def verify(
    original: Path,
    directory: Path,
    source: Path | None,
    samples: int,
    seed: int,
    tolerance: float | None,
    max_drop: float | None,
    engine: str | None,
    emulate: bool,
    key: Path | None,
    as_json: bool,
) -> None:
    """Compare ORIGINAL.onnx with the compiled model in DIRECTORY; exit code 0 when they agree, 1 when not,
    2 for wrong usage, 3 when it could not run.

    A model with approximate layers is held to the budget it was compiled for: on the samples of --input, whose labels count, or
    on the record of its compilation; its code must give the numbers of the approximate model inside the artifact.
    The samples are run one by one, and all in one call where the model takes several.
    onnxruntime runs with its optimizations off. Where it disagrees on very small numbers, onnx.reference is the better judge.
    """
    from edgeopt.examine.verification import verify as examine
    from edgeopt.runtime.artifact import load

    model = load(directory, key)
    with working(f"comparing with {original.name}"):
        found = examine(
            original,
            model,
            data=source,
            samples=samples,
            seed=seed,
            tolerance=tolerance,
            max_drop=max_drop,
            engine=engine,
            emulate=emulate,
        )
    answer(asdict(found))
    cells = [(r.output, f"{r.error:.2e}", "-" if r.decisions is None else f"{100 * r.decisions:.2f} %") for r in found.outputs]
    print_table(("output", "error / range", "same decision"), cells, numbers=(1, 2))
    if found.drop is not None:
        known = (model.manifest.get("quantization") or {}).get("max_drop") if max_drop is None else max_drop
        note(_lost(found, known is not None, "as measured" if source else "when compiled"))
    held = "" if found.tolerance is None else f"tolerance {found.tolerance:g}, "
    against = "the model" if found.against == "original" else "the approximate model inside"
    note(f"{'agrees' if found.passed else 'DIFFERS'}: {held}{against} by {found.engine}")
    if found.against == "inside" and any(row.error > TOLERANCE for row in found.outputs):
        note(ROUNDED)
    if not found.passed:
        raise click.exceptions.Exit(1)


def _lost(found: Verification, budgeted: bool, when: str) -> str:
    """What is lost of a budget, or of what stands for one, as where a network was trained."""
    assert found.drop is not None
    lost = loss.told(found.drop, "percentage points")
    if budgeted:
        return f"{lost}, of {found.max_drop:g} that may be lost, {when}"
    allowed = f"for which there was no budget; {found.max_drop:g} may be, or --max-drop"
    return f"{lost} {when}, {allowed}"
