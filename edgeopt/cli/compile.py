"""``edgeopt compile``: from an ONNX file to a compiled model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli import options
from edgeopt.cli.console import note, progressing
from edgeopt.cli.limits import limits
from edgeopt.cli.onnx_file import write_onnx
from edgeopt.cli.request import Request
from edgeopt.cli.seldom import imported
from edgeopt.cli.summary import print_passes, summarise
from edgeopt.repeated import give, keep, key
from edgeopt.runtime.folder import refuse_foreign
from edgeopt.runtime.marks import MANIFEST

if TYPE_CHECKING:
    from edgeopt.ir import Graph
    from edgeopt.options import Debug, Options
    from edgeopt.pipeline import PrintAfter
    from edgeopt.rewrite import Context

MAX_DROP = "With -O3 or --quantize: percentage points of accuracy (without labels: of equal decisions) that may be lost."
QUANTIZE = "Quantise inside the budget: w8a8 (what -O3 takes), w4a8, w4a4, w8a16, w8a8-dynamic, w8, w4, fp16, w2, w1."
TRAIN = "Samples to train on where the form that is wanted loses too much without; needs pip install 'edgeopt[tune]'."
FORMS = "Techniques or single forms that are wanted in any case; `edgeopt forms` lists them.  (--quantize X is one of them.)"
OBJECTIVE = (
    "What -O3 makes small within --max-drop: time, RAM of activations or estimated energy, by quantising what gains; size, by "
)
OBJECTIVE += "pruning and sharing weights. From -O2 on, it also decides whether weights with zeros are stored by their blocks."
METHODS = ("auto", "product", "minmax", "percentile", "entropy", "mse")
METHOD = "How calibration finds the range of a value: the rule that does best on held-out calibration samples, or a given one."
PROFILE = "With --emit onnx: the runtime that will read the quantised file: x86, arm, npu-per-tensor.  [default: from --target]"
TUNE = "Measure which kernel and tiling is fastest for each call on this machine, and remember it."
EMIT = "onnx: write the optimized ONNX model and stop there; c-library: add a C library and header for the host too."

MAX_FLASH = "Flash that a model of a microcontroller may take, code and weights.  [default: its board's]"
SELF_TEST = (
    "For microcontrollers: add a C program with one sample, of --data where there are some, and the outputs it has to give."
)
WEIGHTS = "coded (default): entropy-coded, small; raw (default for microcontrollers): as kernels read them, to be run from flash."


@click.command("compile")
@click.argument("model", type=options.MODEL)
@options.level
@options.target
@click.option("-o", "--output", type=options.NEW, help="Directory to write, or file with --emit onnx.  [default: MODEL.edgeopt]")
@options.shapes
@options.bind
@options.raw_inputs
@options.data
@options.calibration
@click.option("--max-drop", type=options.Points(min=0), default=1.0, show_default=True, metavar="PP", help=MAX_DROP)
@click.option("--train", type=options.EXISTING_FILE, metavar="FILE.npz", help=TRAIN)
@click.option("--quantize", metavar="SCHEME", help=QUANTIZE)
@click.option("--forms", metavar="A,B", help=FORMS)
@options.keep_float
@options.layer_forms
@click.option(
    "--objective",
    type=click.Choice(["latency", "size", "memory", "energy"]),
    default="latency",
    show_default=True,
    help=OBJECTIVE,
)
@click.option("--method", type=click.Choice(METHODS), default="auto", show_default=True, help=METHOD)
@options.accept_chance
@click.option("--profile", metavar="NAME", help=PROFILE)
@click.option("--tune", is_flag=True, help=TUNE)
@options.max_memory
@limits
@click.option("--max-flash", callback=options.parse_bound, metavar="BYTES|1M", help=MAX_FLASH)
@options.interface
@options.stream_input
@click.option("--self-test", is_flag=True, help=SELF_TEST)
@click.option("--passes", callback=options.parse_names, metavar="A,B", help="Run only these passes, in the pipeline's order.")
@click.option("--stop-after", type=click.IntRange(min=0), metavar="N", help="Stop after N single rewrites.")
@click.option("--print-after", metavar="PASS|all", help="Print the graph on stderr after this pass, or after each.")
@click.option("--explain", is_flag=True, help="Say which passes fired, and why the others declined.")
@click.option("--time-passes", is_flag=True, help="Say how long each pass took.")
@click.option("--emit", type=click.Choice(["onnx", "c-library"]), help=EMIT)
@click.option("--portable", is_flag=True, help="With --emit onnx: inline own operators, so that only standard ones remain.")
@click.option("--weights", type=click.Choice(["coded", "raw"]), help=WEIGHTS)
@options.no_onnx
@options.backend
@options.as_json
def compile_(as_json: bool, **given: Any) -> None:
    """Compile MODEL.onnx into a directory that 'edgeopt run' and edgeopt.load read."""
    asked = Request(**given)
    asked.check()
    name = _name_of_result(asked)
    if name is not None and _given_again(name, asked.directory):
        return
    from edgeopt.rewrite import Context

    context = Context(level=asked.level, stop_after=asked.stop_after)
    shown = _printer(asked.print_after)
    with progressing(f"compiling {asked.model.name}"):
        if asked.emit == "onnx":
            write_onnx(asked, context, shown)
        else:
            _write_artifact(asked, context, shown, name)
    print_passes(context, asked.explain, asked.time_passes)


def _name_of_result(asked: Request) -> str | None:
    """What names the artifact among those of the cache; None for a request that also asks for what is not in it."""
    looks = asked.passes or asked.stop_after is not None or asked.print_after or asked.explain or asked.time_passes
    cut_short = asked.search_time is not None  # the same command goes on from there
    if looks or cut_short or asked.tune or asked.emit is not None or asked.target != "host":
        return None
    samples = (asked.data, asked.calibration, asked.train)
    data, calibration, train = (None if path is None else Path() for path in samples)
    files = [path for path in (asked.model, *samples) if path is not None]
    return key(replace(asked, model=Path(), output=None, data=data, calibration=calibration, train=train), files)


def _given_again(name: str, directory: Path) -> bool:
    """Write the artifact of the cache called ``name`` and tell of it; False when there is none."""
    about = give(name, directory)
    if about is not None:
        summarise(json.loads((directory / MANIFEST).read_bytes()), about["nodes"], directory)
        note("compiled before: this is the artifact of that time")
    return about is not None


def _write_artifact(asked: Request, context: Context, shown: PrintAfter | None, name: str | None) -> None:
    from edgeopt.compiler import compile as compile_model
    from edgeopt.options import Debug

    imported()
    directory = asked.directory
    refuse_foreign(directory)  # before the work, not after it
    compiled = compile_model(
        asked.model,
        asked.level,
        asked.target,
        shapes=asked.shapes,
        data=asked.data,
        calibration=asked.calibration,
        max_drop=asked.max_drop,
        options=_options(asked, Debug(context, asked.passes or None, shown)),
    )
    compiled.save(directory)
    nodes = len(compiled.graph.nodes)
    if name is not None:
        keep(name, directory, {"nodes": nodes})
    summarise(compiled.manifest, nodes, directory)


def _options(asked: Request, debug: Debug) -> Options:
    from edgeopt.options import Options

    same: tuple[str, ...] = (
        "inputs",
        "keep_float",
        "layer_forms",
        "quantize",
        "objective",
        "method",
        "accept_chance",
        "tune",
        "emit",
        "max_memory",
        "forms",
        "bind",
        "weights",
        "onnx",
        "max_ram",
        "max_flash",
        "max_latency",
        "max_size",
        "max_energy",
        "prefer",
        "search_time",
        "seed",
        "backend",
        "interface",
        "stream_input",
        "self_test",
        "train",
    )
    return Options(debug=debug, **{name: getattr(asked, name) for name in same})


def _printer(name: str | None) -> PrintAfter | None:
    """Prints the graph on stderr after the pass ``name``, or after every pass for ``all``."""
    from edgeopt.errors import UnknownName
    from edgeopt.pipeline import names

    if name is None:
        return None
    if name != "all" and name not in names():
        raise UnknownName(f"--print-after: unknown pass '{name}'; `edgeopt passes` lists those there are")

    def show(pass_: str, graph: Graph) -> None:
        if name in ("all", pass_):
            note(f"# after {pass_}\n{graph}")

    return show
