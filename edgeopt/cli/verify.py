"""``edgeopt verify``: does the compiled model give the numbers of the original?"""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, print_table, working
from edgeopt.examine.tolerance import TOLERANCE

ENGINE = "What runs the original.  [default: onnxruntime where installed, else the slow onnx.reference]"


@click.command()
@click.argument("original", type=options.EXISTING_FILE)
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--input", "source", type=options.EXISTING, help="npz file, or a test_data_set_N folder with expected outputs.")
@click.option("--samples", type=click.IntRange(min=1), default=4, show_default=True, help="Random samples, without --input.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random samples.")
@click.option("--tolerance", type=float, default=TOLERANCE, show_default=True, help="Largest error, as a share of the range.")
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
    tolerance: float,
    engine: str | None,
    emulate: bool,
    key: Path | None,
    as_json: bool,
) -> None:
    """Compare ORIGINAL.onnx with the compiled model in DIRECTORY; exit code 0 when they agree, 1 when not.

    The samples are run one by one, and all in one call where the model takes several.
    onnxruntime runs with its optimizations off. Where it disagrees on very small numbers, onnx.reference is the better judge.
    """
    from edgeopt.examine.verification import verify as examine
    from edgeopt.runtime.artifact import load

    with working(f"comparing with {original.name}"):
        found = examine(
            original,
            load(directory, key),
            data=source,
            samples=samples,
            seed=seed,
            tolerance=tolerance,
            engine=engine,
            emulate=emulate,
        )
    if as_json:
        records = [asdict(row) | {"error": row.error if isfinite(row.error) else None} for row in found.outputs]
        options.print_json(asdict(found) | {"outputs": records})
    else:
        cells = [
            (r.output, f"{r.error:.2e}", "-" if r.decisions is None else f"{100 * r.decisions:.2f} %") for r in found.outputs
        ]
        print_table(("output", "error / range", "same decision"), cells, numbers=(1, 2))
        note(f"{'agrees' if found.passed else 'DIFFERS'}: tolerance {tolerance:g}, against {found.engine}")
    if not found.passed:
        raise click.exceptions.Exit(1)
