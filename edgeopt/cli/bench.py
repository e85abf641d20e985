"""``edgeopt bench``: how fast is a model, alone and against other engines?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.console import print_table, working

if TYPE_CHECKING:
    from edgeopt.runtime.model import CompiledModel

SELF = "edgeopt"
QUANTIZE = "Say for each layer whether this scheme (w8a8, w4a8, ...) pays, instead of timing engines."


@click.command()
@click.argument("model", type=options.EXISTING)
@options.level
@options.shapes
@click.option("--against", callback=options.parse_names, metavar="ort,openvino", help="Engines to compare with.")
@options.threads
@click.option("--seconds", type=click.FloatRange(min=0.01), default=2.0, show_default=True, help="Measuring time per engine.")
@click.option("--quantize", metavar="SCHEME", help=QUANTIZE)
@options.target
@options.as_json
def bench(
    model: Path,
    level: int,
    shapes: dict[str, tuple[int, ...]],
    against: tuple[str, ...],
    threads: int,
    seconds: float,
    quantize: str | None,
    target: str,
    as_json: bool,
) -> None:
    """Time one inference of MODEL.onnx (compiled first, at -O) or of a compiled model on random inputs.

    The engines take turns in one process, so that a busy moment of the machine hits all of them. A compiled model is compared
    with what the engines make of the optimized ONNX model inside it. With --quantize: each layer of MODEL.onnx in float and
    quantised, measured here, or estimated for another --target.
    """
    if quantize is not None:
        from edgeopt.cli.gains import show_gains

        return show_gains(model, level, shapes, target, quantize, as_json)
    if target != "host":
        raise click.UsageError("code for another target cannot be timed here; 'edgeopt inspect --target' estimates it")

    from edgeopt.cli.engines import engine
    from edgeopt.cli.samples import random_inputs
    from edgeopt.compiler import compile
    from edgeopt.ir import TensorType
    from edgeopt.runtime.artifact import load

    with working(f"preparing {model.name}"):
        compiled = load(model) if model.is_dir() else compile(model, level=level, shapes=shapes)
        types = {i["name"]: TensorType(i["dtype"], tuple(i["shape"])) for i in compiled.manifest["inputs"]}
        (inputs,) = random_inputs(types, 1, seed=0)
        source = model / "model.onnx" if model.is_dir() else model
        engines: dict[str, Callable[[], object]] = {SELF: lambda: compiled.run(inputs, threads=threads)}
        engines |= {name: engine(name, source, inputs, threads) for name in against}
    with working(f"measuring {', '.join(engines)}"):
        times = measure(engines, seconds)
    _print(compiled, times, threads, as_json)


def measure(engines: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Seconds of single inferences, the engines in turn, until each had ``seconds`` on average; at least five rounds."""
    for inference in engines.values():
        inference()
    times: dict[str, list[float]] = {name: [] for name in engines}
    until = perf_counter() + seconds * len(engines)
    while perf_counter() < until or len(times[next(iter(engines))]) < 5:
        for name, inference in engines.items():
            started = perf_counter()
            inference()
            times[name].append(perf_counter() - started)
    return times


def _print(compiled: CompiledModel, times: Mapping[str, list[float]], threads: int, as_json: bool) -> None:
    best = {name: min(values) for name, values in times.items()}
    rows = {
        name: {
            "minimum_ms": 1000 * best[name],
            "median_ms": 1000 * median(values),
            "runs": len(values),
            "edgeopt_is_faster_by": best[name] / best[SELF],
        }
        for name, values in times.items()
    }
    if as_json:
        options.print_json({"model": compiled.manifest["model"], "threads": threads, "engines": rows})
        return
    cells = [
        (name, f"{r['minimum_ms']:.3f}", f"{r['median_ms']:.3f}", r["runs"], f"{r['edgeopt_is_faster_by']:.2f}x")
        for name, r in rows.items()
    ]
    print_table(("engine", "minimum ms", "median ms", "runs", "edgeopt is faster by"), cells, numbers=(1, 2, 3, 4))
