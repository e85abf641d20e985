"""``edgeopt compile``: from an ONNX file to a compiled model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note, print_table, progressing, warn
from edgeopt.cli.exits import print_exits
from edgeopt.repeated import give, keep, key
from edgeopt.runtime.folder import refuse_foreign
from edgeopt.runtime.marks import MANIFEST

if TYPE_CHECKING:
    from edgeopt.ir import Graph
    from edgeopt.options import Debug, Options
    from edgeopt.pipeline import PrintAfter
    from edgeopt.rewrite import Context
    from edgeopt.runtime.manifest import Manifest
    from edgeopt.search.goal import Objective
    from edgeopt.search.run import Budget


MAX_DROP = "With -O3 or --quantize: percentage points of accuracy (without labels: of equal decisions) that may be lost."
QUANTIZE = "Quantise inside the budget: w8a8 (what -O3 takes), w4a8, w4a4, w8a16, w8a8-dynamic, w8, w4, fp16, w2, w1."
FORMS = "Techniques or single forms that are wanted in any case; `edgeopt forms` lists them.  (--quantize X is one of them.)"
OBJECTIVE = "What -O3 makes small within --max-drop: time, by quantising what gets faster; size, by pruning and sharing weights."
METHODS = ("auto", "product", "minmax", "percentile", "entropy", "mse")
METHOD = "How calibration finds the range of a value: the rule that does best on held-out calibration samples, or a given one."
PROFILE = "With --emit onnx: the runtime that will read the quantised file: x86, arm, npu-per-tensor.  [default: from --target]"
TUNE = "Measure which kernel and tiling is fastest for each call on this machine, and remember it."
EMIT = "onnx: write the optimized ONNX model and stop there; c-library: add a C library and header for the host too."

MAX_RAM = "RAM that a model of a microcontroller may take, its inputs, outputs and stack included.  [default: its board's]"
BACKEND = "Who writes the code of the result; tvm, which writes its kernels in TIR, needs pip install 'edgeopt[tvm]'."
WEIGHTS = "coded (default): entropy-coded, small; raw (default for microcontrollers): as kernels read them, to be run from flash."


@dataclass(frozen=True)
class Request:
    """What the command line asks for: one field for each argument and option."""

    model: Path
    level: int
    target: str
    output: Path | None
    shapes: dict[str, tuple[int, ...]]
    bind: dict[str, float | int]
    inputs: dict[str, str]
    data: Path | None
    calibration: Path | None
    max_drop: float
    quantize: str | None
    forms: str | None
    keep_float: tuple[str, ...]
    layer_forms: dict[str, str]
    objective: Objective
    method: str
    accept_chance: bool
    profile: str | None
    tune: bool
    max_memory: int | None
    max_ram: int | None
    max_flash: int | None
    passes: tuple[str, ...]
    stop_after: int | None
    print_after: str | None
    explain: bool
    time_passes: bool
    emit: str | None
    portable: bool
    weights: str | None
    no_onnx: bool
    backend: str

    @property
    def directory(self) -> Path:
        """Where the artifact is written."""
        return self.output or Path(f"{self.model.stem}.edgeopt")

    @property
    def onnx(self) -> bool:
        """True where the optimized model lies in the artifact."""
        return not self.no_onnx

    @property
    def wanted(self) -> str | None:
        """The forms that are wanted in any case."""
        return self.forms if self.forms is not None else self.quantize

    @property
    def approximate(self) -> bool:
        """True where layers may change their form."""
        return self.wanted is not None or self.level >= 3 or bool(self.layer_forms)

    def check(self) -> None:
        """Raises UsageError for options that do not go together."""
        if self.portable and self.emit != "onnx":
            raise click.UsageError("--portable belongs to --emit onnx")
        if self.forms is not None and self.quantize is not None:
            raise click.UsageError("--forms and --quantize say the same in two ways; give one of them")
        if self.profile is not None and self.emit != "onnx":
            raise click.UsageError("--profile belongs to --emit onnx")
        if self.backend != "numba" and self.emit == "onnx":
            raise click.UsageError("--backend writes code, and --emit onnx none")
        if self.no_onnx and self.emit == "onnx":
            raise click.UsageError("--no-onnx leaves out of the artifact what --emit onnx writes instead of one")


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
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="PP", help=MAX_DROP)
@click.option("--quantize", metavar="SCHEME", help=QUANTIZE)
@click.option("--forms", metavar="A,B", help=FORMS)
@options.keep_float
@options.layer_forms
@click.option("--objective", type=click.Choice(["latency", "size"]), default="latency", show_default=True, help=OBJECTIVE)
@click.option("--method", type=click.Choice(METHODS), default="auto", show_default=True, help=METHOD)
@options.accept_chance
@click.option("--profile", metavar="NAME", help=PROFILE)
@click.option("--tune", is_flag=True, help=TUNE)
@options.max_memory
@click.option("--max-ram", callback=options.parse_memory, metavar="BYTES|64k", help=MAX_RAM)
@click.option("--max-flash", callback=options.parse_memory, metavar="BYTES|1M", help="As --max-ram, of code and weights.")
@click.option("--passes", callback=options.parse_names, metavar="A,B", help="Run only these passes, in the pipeline's order.")
@click.option("--stop-after", type=click.IntRange(min=0), metavar="N", help="Stop after N single rewrites.")
@click.option("--print-after", metavar="PASS|all", help="Print the graph on stderr after this pass, or after each.")
@click.option("--explain", is_flag=True, help="Say which passes fired, and why the others declined.")
@click.option("--time-passes", is_flag=True, help="Say how long each pass took.")
@click.option("--emit", type=click.Choice(["onnx", "c-library"]), help=EMIT)
@click.option("--portable", is_flag=True, help="With --emit onnx: inline own operators, so that only standard ones remain.")
@click.option("--weights", type=click.Choice(["coded", "raw"]), help=WEIGHTS)
@options.no_onnx
@click.option("--backend", type=click.Choice(["numba", "tvm"]), default="numba", show_default=True, help=BACKEND)
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
            _write_onnx(asked, context, shown)
        else:
            _write_artifact(asked, context, shown, name)
    _report(context, asked.explain, asked.time_passes)


def _write_onnx(asked: Request, context: Context, shown: PrintAfter | None) -> None:
    from edgeopt.frontend import load, notes, save
    from edgeopt.frontend.preparation import parse_preparation, prepare_inputs
    from edgeopt.ops.finite import refuse_nan
    from edgeopt.pipeline import optimize
    from edgeopt.search.run import approximate, note_unused
    from edgeopt.target import target as find_target

    path = asked.output or Path(f"{asked.model.stem}.optimized.onnx")
    _refuse_other_files(path, asked.model)  # before the work, not after it
    graph = load(asked.model, asked.shapes, asked.max_memory, asked.bind)
    prepare_inputs(graph, {name: parse_preparation(text) for name, text in asked.inputs.items()})
    refuse_nan(graph)
    if asked.approximate:
        graph, _ = approximate(graph, _budget(asked), context, find_target(asked.target), "standard", shown)
    else:
        note_unused(graph, asked.data, asked.calibration)
        optimize(graph, asked.level, context, asked.passes or None, shown)
    save(graph, path, portable=asked.portable or asked.approximate)
    _print_notes(notes(graph))
    answer({"output": path, "nodes": len(graph.nodes)})
    note(f"wrote {path}: {len(graph.nodes)} nodes")


def _budget(asked: Request) -> Budget:
    from edgeopt.search.pins import Pins
    from edgeopt.search.run import Budget

    limits = (asked.data, asked.calibration, asked.max_drop, asked.wanted)
    pins = Pins(asked.keep_float, asked.layer_forms, asked.wanted is None and asked.level < 3)
    return Budget(*limits, asked.objective, asked.method, asked.profile, asked.accept_chance, pins=pins)


def _name_of_result(asked: Request) -> str | None:
    """What names the artifact among those of the cache; None for a request that also asks for what is not in it."""
    looks = asked.passes or asked.stop_after is not None or asked.print_after or asked.explain or asked.time_passes
    if looks or asked.tune or asked.emit is not None or asked.target != "host":
        return None
    files = [path for path in (asked.model, asked.data, asked.calibration) if path is not None]
    data, calibration = (None if path is None else Path() for path in (asked.data, asked.calibration))
    return key(replace(asked, model=Path(), output=None, data=data, calibration=calibration), files)


def _given_again(name: str, directory: Path) -> bool:
    """Write the artifact of the cache called ``name`` and tell of it; False when there is none."""
    about = give(name, directory)
    if about is not None:
        _summarise(json.loads((directory / MANIFEST).read_bytes()), about["nodes"], directory)
        note("compiled before: this is the artifact of that time")
    return about is not None


def _write_artifact(asked: Request, context: Context, shown: PrintAfter | None, name: str | None) -> None:
    from edgeopt.compiler import compile as compile_model
    from edgeopt.options import Debug

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
    _summarise(compiled.manifest, nodes, directory)


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
        "backend",
    )
    return Options(debug=debug, **{name: getattr(asked, name) for name in same})


def _printer(name: str | None) -> PrintAfter | None:
    """Prints the graph on stderr after the pass ``name``, or after every pass for ``all``."""
    from edgeopt.errors import EdgeoptError
    from edgeopt.pipeline import names

    if name is None:
        return None
    if name != "all" and name not in names():
        raise EdgeoptError(f"--print-after: unknown pass '{name}'; `edgeopt passes` lists those there are")

    def show(pass_: str, graph: Graph) -> None:
        if name in ("all", pass_):
            note(f"# after {pass_}\n{graph}")

    return show


def _report(context: Context, explain: bool, time_passes: bool) -> None:
    if explain:
        print_table(("pass", "rewrites"), [(name, n) for name, n in context.fired.items() if n], numbers=(1,))
        print_table(("pass", "left alone", "because"), context.declined)
    if time_passes:
        slowest = sorted(context.seconds.items(), key=lambda item: -item[1])
        rows = [(name, context.fired.get(name, 0), f"{1000 * seconds:.1f}") for name, seconds in slowest]
        print_table(("pass", "rewrites", "ms"), rows, numbers=(1, 2))


def _print_notes(lines: Iterable[str]) -> None:
    for line in lines:
        note(f"note: {line}")


def _summarise(manifest: Manifest, nodes: int, directory: Path) -> None:
    _print_notes(manifest["notes"])
    for fallback in manifest["fallbacks"]:
        warn(f"{fallback['op']} '{fallback['node']}' runs on the host: {fallback['reason']}")
    if islands := manifest["islands"]:
        print_table(("left in float", "operator", "because"), [(i["node"], i["op"], i["reason"]) for i in islands])
    if tuning := manifest.get("tuning"):
        note(f"tuned {tuning['calls']} calls: {tuning['measured']} measured, the others remembered")
    if (backend := manifest.get("backend")) and backend["own"] < backend["steps"]:
        rest = ", ".join(f"{kernel} ({count})" for kernel, count in backend["rest"].items())
        note(f"{backend['name']} wrote {backend['own']} of {backend['steps']} steps; numba's kernels are the others: {rest}")
    if record := manifest.get("quantization"):
        from edgeopt.report.quantization import LAYERS, SUMMARY, layer_rows, summary_rows

        print_table(LAYERS, layer_rows(record), title=f"layers on {manifest['target']['name']}", numbers=range(2, 6))
        print_table(SUMMARY, summary_rows(record), numbers=(1, 2, 3))
    if leaving := manifest.get("exits"):
        print_exits(leaving)
    answer({"output": directory, "nodes": nodes, **_figures(manifest, directory)})
    note(f"wrote {directory}: {nodes} nodes, {_sizes(manifest, directory)}")


def _figures(manifest: Manifest, directory: Path) -> dict[str, Any]:
    """What the answer says of an artifact."""
    sizes = ("source_bytes", "weights_bytes", "arena_bytes", "scratch_bytes")
    kept = ("notes", "fallbacks", "islands", "passes")
    about = {"target": manifest["target"]["name"], "quantization": manifest.get("quantization"), "tuning": manifest.get("tuning")}
    about |= {"backend": manifest.get("backend"), "exits": manifest.get("exits")}
    disk = sum(path.stat().st_size for path in directory.iterdir())
    return {**about, "disk_bytes": disk, **{key: manifest[key] for key in (*sizes, *kept)}}


def _sizes(manifest: Manifest, directory: Path) -> str:
    """Bytes of the model before and after, and in memory."""
    disk, source = sum(path.stat().st_size for path in directory.iterdir()) / 1000, (manifest["source_bytes"] or 0) / 1000
    of = f" ({disk / source:.2f} of the model's {source:,.1f} kB)" if source else ""
    weights, arena = manifest["weights_bytes"] / 1000, manifest["arena_bytes"] / 1000
    return f"{disk:,.1f} kB{of}; in memory weights {weights:,.1f} kB, arena {arena:,.1f} kB"


def _refuse_other_files(path: Path, model: Path) -> None:
    """Raise EdgeoptError where writing an ONNX file to ``path`` would replace the model itself or a file of another kind."""
    from edgeopt.errors import EdgeoptError

    if path.exists() and path.samefile(model):
        raise EdgeoptError(f"'{path}' is the model itself; give another file with -o")
    if path.is_file() and path.suffix != ".onnx":
        raise EdgeoptError(f"'{path}' exists and is no .onnx file; give another one with -o, or remove it")
