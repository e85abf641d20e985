"""``edgeopt eval``: accuracy on labelled data, and a gate for continuous integration."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, progressing

if TYPE_CHECKING:
    from edgeopt.examine.evaluation import Evaluation, Share

MAX_DROP = "Percentage points (of accuracy, without labels of equal decisions) that may be lost against --against."
AGAINST = "An ONNX file or a compiled model to compare with."
ENGINE = "What runs an ONNX file of --against.  [default: onnxruntime where installed, else the slow onnx.reference]"


@click.command("eval")
@click.argument("model", type=options.EXISTING)
@click.option("--data", type=options.EXISTING_FILE, required=True, metavar="FILE.npz", help=options.DATA)
@click.option("--against", type=options.EXISTING, metavar="MODEL", help=AGAINST)
@click.option("--max-drop", type=options.Points(min=0), metavar="PP", help=MAX_DROP)
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="At most so many samples, drawn from all.")
@click.option("--engine", type=click.Choice(["onnxruntime", "onnx.reference"]), help=ENGINE)
@options.threads
@options.emulate
@options.key
@options.as_json
def eval_(
    model: Path,
    data: Path,
    against: Path | None,
    max_drop: float | None,
    samples: int | None,
    engine: str | None,
    threads: int,
    emulate: bool,
    key: Path | None,
    as_json: bool,
) -> None:
    """Count how often a compiled model, or MODEL.onnx compiled exactly, is right on the samples of --data.

    Exit code 0 within --max-drop or without one, 1 outside, 2 for wrong usage, 3 when it could not run. Intervals are those of
    95 % confidence; that of the drop takes into account that both models saw the same samples.
    """
    from edgeopt.examine.evaluation import eval as examine
    from edgeopt.runtime.artifact import load

    if max_drop is not None and against is None:
        raise click.UsageError("--max-drop counts from another model: name it with --against")
    if key is not None and not model.is_dir():
        raise click.UsageError("--key belongs to a compiled model")
    with progressing(f"evaluating {model.name}"):
        subject = load(model, key) if model.is_dir() else model
        found = examine(
            subject, data, against=against, max_drop=max_drop, samples=samples, threads=threads, engine=engine, emulate=emulate
        )
    answer(asdict(found))
    _print(found)
    if not found.passed:
        raise click.exceptions.Exit(1)


def _print(found: Evaluation) -> None:
    shares = {
        "accuracy %": found.accuracy,
        "accuracy % of the other": found.against_accuracy,
        "equal decisions %": found.agreement,
        "lost, percentage points": found.drop,
    }
    rows = [(name, f"{share.percent:.2f}", _interval(share)) for name, share in shares.items() if share is not None]
    if found.minimum_ms is not None and found.median_ms is not None:
        rows.append(("latency, ms", f"{found.minimum_ms:.4f}", f"median {found.median_ms:.4f}"))
    print_table((f"{found.samples} samples", "", "95 %"), rows, numbers=(1,))
    if found.accuracy is not None and found.chance is not None and found.accuracy.percent <= found.chance:
        note("that is no more than guessing reaches: check that labels and preprocessing are those of this model")
    if found.max_drop is not None:
        note(f"{'within' if found.passed else 'OUTSIDE'} --max-drop {found.max_drop:g}{_doubt(found)}")


def _doubt(found: Evaluation) -> str:
    """What to add where the samples are too few to tell."""
    if found.drop is None or found.drop.high is None or found.max_drop is None or not found.passed:
        return ""
    if found.drop.high <= found.max_drop:
        return ""
    return f", but {found.samples} samples cannot tell: up to {found.drop.high:.2f} points may be lost; more samples narrow that"


def _interval(share: Share) -> str:
    return "" if share.low is None or share.high is None else f"{share.low:.2f} to {share.high:.2f}"
