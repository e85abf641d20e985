"""How fast is a model, alone and against other engines?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from edgeopt import arguments
from edgeopt.compiler import compile
from edgeopt.errors import EdgeoptError
from edgeopt.examine.engines import ENGINES, engine
from edgeopt.examine.samples import index_limits, random_inputs
from edgeopt.ir import Array, TensorType
from edgeopt.ops.macs import macs
from edgeopt.runtime.artifact import load
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.timing import layer_name

SELF = "edgeopt"
FEWEST = 5
ROUNDS = 50  # of inferences in native code, whose least is taken


@dataclass(frozen=True)
class EngineTime:
    """Of one engine, over ``runs`` single inferences. ``edgeopt_is_faster_by`` is the ratio of minima."""

    minimum_ms: float
    median_ms: float
    runs: int
    edgeopt_is_faster_by: float


@dataclass(frozen=True)
class LayerTime:
    """The least seconds of one layer on one thread, all its ``kernels`` together. ``macs`` is None where it is not known."""

    name: str
    op: str
    kernels: tuple[str, ...]
    macs: int | None
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """What ``bench`` measured: the ``model``'s name, the ``threads`` of each engine, and its EngineTime by name.

    Engines are called from Python, each inference for itself; ``native_ms`` is the least of edgeopt in native code, of several
    inferences in one call where they are short. ``layers`` are given where they were asked for.
    """

    model: str
    threads: int
    engines: dict[str, EngineTime]
    native_ms: float
    layers: tuple[LayerTime, ...] = ()


def bench(
    model: str | Path | CompiledModel,
    level: int = 1,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    against: Sequence[str] = (),
    threads: int = 1,
    seconds: float = 2.0,
    layers: bool = False,
) -> Comparison:
    """Time single inferences of an ONNX file (compiled first, at ``level``) or a compiled model on random inputs.

    ``against`` names other engines (``ort``, ``openvino``), which take turns with edgeopt in this process, so that a busy moment
    of the machine hits all of them; of a compiled model they get the optimized ONNX model inside it. ``seconds`` is the measuring
    time per engine. ``layers`` times each layer, too, on one thread.
    Raises EdgeoptError for wrong arguments, and an engine that is absent or refuses the model.
    """
    arguments.instance("model", model, (str, Path, CompiledModel))
    arguments.whole("threads", threads, 1)
    arguments.share("seconds", seconds)
    if isinstance(against, str):
        raise EdgeoptError(f"against={against!r}: expected is a list of engines, as in ['{against}']")
    for name in against:
        arguments.choice("against", name, ENGINES)
    compiled = _compiled(model, level, shapes)
    types = {i["name"]: TensorType(i["dtype"], tuple(i["shape"])) for i in compiled.manifest["inputs"]}
    (inputs,) = random_inputs(types, 1, 0, index_limits(compiled))
    engines: dict[str, Callable[[], object]] = {SELF: lambda: compiled.run(inputs, threads=threads)}
    with _onnx_file(model) as source:
        engines |= {name: engine(name, source, inputs, threads) for name in against}
        times = measure(engines, seconds)
    rows = layer_times(compiled, inputs) if layers else ()
    return _summary(compiled, times, threads, _native(compiled, inputs, threads), rows)


def _native(compiled: CompiledModel, inputs: Mapping[str, Array], threads: int) -> float:
    """Milliseconds."""
    clock = Clock(compiled, inputs, threads)
    return 1e3 * min(clock() for _ in range(ROUNDS))


def layer_times(compiled: CompiledModel, inputs: Mapping[str, Array]) -> tuple[LayerTime, ...]:
    """Every layer in the order of execution. Raises EdgeoptError for a model with host steps."""
    steps = zip(compiled.manifest["kernels"], compiled.profile(inputs, ROUNDS), strict=True)
    works = {layer_name(node): macs(node) for node in compiled.graph.nodes}
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for kernel, seconds in steps:
        found.setdefault(layer_name(kernel["node"]), []).append((kernel, seconds))
    return tuple(
        LayerTime(
            name=name,
            op=parts[-1][0]["op"],
            kernels=tuple(dict.fromkeys(kernel["kernel"] for kernel, _ in parts)),
            macs=works.get(name),
            seconds=sum(seconds for _, seconds in parts),
        )
        for name, parts in found.items()
    )


def _compiled(model: str | Path | CompiledModel, level: int, shapes: Mapping[str, Sequence[int]] | None) -> CompiledModel:
    if isinstance(model, CompiledModel):
        return model
    return load(model) if Path(model).is_dir() else compile(model, level, shapes=shapes)


@contextmanager
def _onnx_file(model: str | Path | CompiledModel) -> Iterator[Path]:
    """The file that other engines read."""
    if not isinstance(model, CompiledModel) and not Path(model).is_dir():
        yield Path(model)
        return
    compiled = model if isinstance(model, CompiledModel) else load(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(compiled.onnx().SerializeToString())
        yield path


def measure(engines: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Seconds of single inferences, the engines in turn, until each had ``seconds`` on average; at least ``FEWEST`` rounds."""
    for inference in engines.values():
        inference()
    times: dict[str, list[float]] = {name: [] for name in engines}
    until = perf_counter() + seconds * len(engines)
    while perf_counter() < until or len(times[next(iter(engines))]) < FEWEST:
        for name, inference in engines.items():
            started = perf_counter()
            inference()
            times[name].append(perf_counter() - started)
    return times


def _summary(
    compiled: CompiledModel, times: Mapping[str, list[float]], threads: int, native: float, layers: tuple[LayerTime, ...]
) -> Comparison:
    best = {name: min(values) for name, values in times.items()}
    rows = {n: EngineTime(1e3 * best[n], 1e3 * median(v), len(v), best[n] / best[SELF]) for n, v in times.items()}
    return Comparison(compiled.manifest["model"], threads, rows, native, layers)
