"""``edgeopt verify``: does the compiled model give the numbers of the original?"""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, print_table, working
from edgeopt.cli.difference import TOLERANCE, compare

if TYPE_CHECKING:
    from edgeopt.cli.originals import Runner
    from edgeopt.ir import Array
    from edgeopt.runtime.model import CompiledModel

    Sample = dict[str, Array]

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
    as_json: bool,
) -> None:
    """Compare ORIGINAL.onnx with the compiled model in DIRECTORY; exit code 0 when they agree, 1 when not.

    onnxruntime runs with its optimizations off. Where it disagrees on very small numbers, onnx.reference is the better judge.
    """
    from edgeopt.cli.execution import execution
    from edgeopt.cli.originals import original_runner
    from edgeopt.runtime.artifact import load

    model = load(directory)
    engine, runner = original_runner(original, engine)
    with working(f"comparing with {engine}"), execution(model, emulate) as execute:
        inputs, expected = _samples(model, runner, source, samples, seed)
        rows = compare(expected, [execute(sample) for sample in inputs])
    passed = all(row.error <= tolerance for row in rows)
    if as_json:
        records = [asdict(row) | {"error": row.error if isfinite(row.error) else None} for row in rows]
        options.print_json({"engine": engine, "tolerance": tolerance, "passed": passed, "outputs": records})
    else:
        cells = [(r.output, f"{r.error:.2e}", "-" if r.decisions is None else f"{100 * r.decisions:.2f} %") for r in rows]
        print_table(("output", "error / range", "same decision"), cells, numbers=(1, 2))
        note(f"{'agrees' if passed else 'DIFFERS'}: tolerance {tolerance:g}, against {engine}")
    if not passed:
        raise click.exceptions.Exit(1)


def _samples(
    model: CompiledModel, runner: Runner, source: Path | None, samples: int, seed: int
) -> tuple[list[Sample], list[Sample]]:
    """Inputs and expected outputs, one mapping per sample."""
    from edgeopt import npz
    from edgeopt.cli.samples import random_inputs, read_test_data
    from edgeopt.ir import TensorType

    about = model.manifest["inputs"]
    names = [i["name"] for i in about]
    if source is not None and source.is_dir():
        inputs, expected = read_test_data(source, names, [o["name"] for o in model.manifest["outputs"]])
        return [inputs], [expected]
    types = {i["name"]: TensorType(i["dtype"], tuple(i["shape"])) for i in about}
    given = random_inputs(types, samples, seed) if source is None else _batches(model, npz.read(source, names))
    return given, [runner(sample) for sample in given]


def _batches(model: CompiledModel, inputs: Sample) -> list[Sample]:
    """``inputs`` cut along the leading axis into pieces of the compiled shapes, which the original takes whatever its batch."""
    import numpy as np

    from edgeopt.runtime.ports import checked, sample_count

    count = sample_count(checked(inputs, model.inputs), model.inputs, model.outputs)
    pieces = {name: np.split(array, count) if count > 1 else [array] for name, array in inputs.items()}
    return [{name: pieces[name][k] for name in inputs} for k in range(count)]
