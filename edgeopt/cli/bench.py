"""``edgeopt bench``: how fast is a model, alone and against other engines?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table, say, working
from edgeopt.report.times import measurable, microseconds

if TYPE_CHECKING:
    from edgeopt.examine.speed import Comparison, LayerTime

LAYERS = "Time each layer, too, by its name; of a model without host steps."
COLUMNS = ("layer", "operator", "kernels", "µs", "%", "GMAC/s")
QUANTIZE = "Say for each layer whether this scheme (w8a8, w4a8, ...) pays, instead of timing engines."


@click.command()
@click.argument("model", type=options.EXISTING)
@options.level
@options.shapes
@click.option("--against", callback=options.parse_names, metavar="ort,openvino", help="Engines to compare with.")
@options.threads
@click.option("--seconds", type=options.Real(min=0.01), default=2.0, show_default=True, help="Measuring time per engine.")
@click.option("--quantize", metavar="SCHEME", help=QUANTIZE)
@click.option("--layers", is_flag=True, help=LAYERS)
@options.target
@options.key
@options.as_json
def bench(
    model: Path,
    level: int,
    shapes: dict[str, tuple[int, ...]],
    against: tuple[str, ...],
    threads: int,
    seconds: float,
    quantize: str | None,
    layers: bool,
    target: str,
    key: Path | None,
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
    if key is not None and not model.is_dir():
        raise click.UsageError("--key belongs to a compiled model")
    if target != "host":
        raise click.UsageError("code for another target cannot be timed here; 'edgeopt inspect --target' estimates it")

    from edgeopt.examine.speed import bench as examine
    from edgeopt.runtime.artifact import load

    with working(f"measuring {model.name}"):
        subject = load(model, key) if model.is_dir() else model
        found = examine(subject, level, shapes=shapes, against=against, threads=threads, seconds=seconds, layers=layers)
    answer(asdict(found))
    _print(found)


def _print(found: Comparison) -> None:
    cells = [
        (name, f"{t.minimum_ms:.3f}", f"{t.median_ms:.3f}", t.runs, "" if name == "edgeopt" else f"{t.edgeopt_is_faster_by:.2f}x")
        for name, t in found.engines.items()
    ]
    print_table(("engine, called from Python", "minimum ms", "median ms", "runs", "faster by"), cells, numbers=(1, 2, 3, 4))
    if found.layers:
        print_table(COLUMNS, [_cells(layer, found) for layer in found.layers], title="layers, on one thread", numbers=(3, 4, 5))
        say(f"{1e6 * sum(layer.seconds for layer in found.layers):,.1f} µs in {len(found.layers)} layers")
    say(f"edgeopt in native code, without the call: {1e3 * found.native_ms:,.1f} µs")


def _cells(layer: LayerTime, found: Comparison) -> tuple[str, ...]:
    whole = sum(other.seconds for other in found.layers) or 1.0
    known = measurable(layer.seconds)
    rate = f"{1e-9 * layer.macs / layer.seconds:,.1f}" if known and layer.macs else "-"
    share = f"{100 * layer.seconds / whole:.1f}" if known else "-"
    kernels = dict.fromkeys(kernel.split(".")[0] for kernel in layer.kernels)
    return layer.name, layer.op, ", ".join(kernels), microseconds(layer.seconds), share, rate
