"""Whole networks against other engines, interleaved in one process: ``python -m benchmarks.peers MODEL... [--threads 1 2]``.

Every round runs each engine once (with several threads a few times, after a pause), so that all of them see the same machine.
Ratios are the best peer's minimum over ours; medians are given too. Outputs are compared before anything is timed. Writes JSON,
and a plot where matplotlib is installed. With ``--target x86-64-v3`` OpenVINO is restricted to AVX2 by its own switch, and with
``--mask`` onnxruntime as well. ``--clock cpu`` counts the processor's time in this process instead of the time that passes: for
one thread on a machine that others use, on which no run of more than a few milliseconds is left alone.

Inputs are random, open dimensions 1; ``--shape x=1,3,48,192`` and ``--inputs FILE.npz`` say otherwise, and ``--bind sr=16000``
makes a constant of an input for us, which peers are given at each run. Names that a network does not have are passed over.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import ENGINES
from benchmarks.restricted import restrict
from edgeopt.examine.engines import Inference
from edgeopt.ir import Array
from edgeopt.target import target as find_target

PEERS = ("onnxruntime", "openvino")
PAUSE, BURST = 0.05, 5
Clock = Callable[[], float]
CLOCKS: Mapping[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


@dataclass
class Result:
    """Times of one network at one number of threads, in milliseconds, and the largest deviation of an output from a peer's."""

    network: str
    threads: int
    minimum: dict[str, float] = field(default_factory=dict)
    median: dict[str, float] = field(default_factory=dict)
    deviation: float = 0.0
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The best peer's minimum over ours; nan without a peer."""
        return self.against(PEERS)

    def against(self, peers: Sequence[str]) -> float:
        """The minimum of the best of ``peers`` over ours; nan where none of them was timed."""
        known = [self.minimum[p] for p in peers if p in self.minimum]
        return min(known) / self.minimum["edgeopt"] if known else float("nan")


@dataclass(frozen=True)
class Given:
    """What is known of inputs by their names: ``shapes`` of open ones, numbers that are ``bound``, and ``arrays``."""

    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    bound: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def settings(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """What our compiler is told of these ``inputs``."""
        bind = {name: number for name, number in self.bound.items() if name in inputs}
        shapes = {name: array.shape for name, array in inputs.items() if name not in bind}
        return {"bind": bind, "shapes": shapes}


def random_inputs(path: Path, seed: int = 0, given: Given | None = None) -> dict[str, Array]:
    """Normal random arrays for the inputs of a model, open dimensions set to 1, where nothing else is ``given``."""
    import onnx

    rng = np.random.default_rng(seed)
    graph = onnx.load(path, load_external_data=False).graph
    known, given = {t.name for t in graph.initializer}, given or Given()
    made: dict[str, Array] = {}
    for info in graph.input:
        if info.name not in known:
            shape = given.shapes.get(info.name) or [d.dim_value or 1 for d in info.type.tensor_type.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            numbers = given.bound.get(info.name, rng.standard_normal(shape))
            made[info.name] = np.asarray(given.arrays.get(info.name, numbers), dtype)
    return made


def measure(
    path: Path,
    threads: int,
    engines: Sequence[str],
    seconds: float,
    settings: Mapping[str, Any],
    clock: Clock = time.perf_counter,
    given: Given | None = None,
) -> Result:
    """Prepare every engine, compare outputs, then take turns for ``seconds`` per engine."""
    given = given or Given()
    result, inputs = Result(path.stem, threads), random_inputs(path, given=given)
    settings = {**settings, **given.settings(inputs)}
    runs: dict[str, Inference] = {}
    for name in engines:
        try:
            runs[name] = ENGINES[name](path, inputs, threads, **(settings if name == "edgeopt" else {}))
            runs[name]()
        except Exception as error:  # a peer that is not installed or refuses the model is reported, not fatal
            if name == "edgeopt":
                raise
            result.failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"
            runs.pop(name, None)
    result.deviation = _deviation(runs)
    times: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end or len(times["edgeopt"]) < 5:
        for name, run in runs.items():
            times[name] += _burst(run, clock) if threads > 1 else [_milliseconds(run, clock)]
    result.minimum = {name: min(t) for name, t in times.items()}
    result.median = {name: statistics.median(t) for name, t in times.items()}
    return result


def _burst(run: Inference, clock: Clock) -> list[float]:
    """Times of a few runs in succession, behind a pause in which the spinning threads of the engine before fall asleep."""
    time.sleep(PAUSE)
    run()
    return [_milliseconds(run, clock) for _ in range(BURST)]


def _milliseconds(run: Inference, clock: Clock) -> float:
    started = clock()
    run()
    return 1e3 * (clock() - started)


def _deviation(runs: Mapping[str, Inference]) -> float:
    """The largest difference of our outputs from the first peer's, relative to the output's range, or to a single number."""
    other = next((runs[p] for p in PEERS if p in runs), None)
    if other is None:
        return float("nan")
    pairs = zip(runs["edgeopt"](), other(), strict=True)
    return max(_difference(a.astype(float), b.astype(float)) for a, b in pairs)


def _difference(ours: Array, theirs: Array) -> float:
    scale = np.ptp(theirs) if theirs.size > 1 else np.abs(theirs).max(initial=0.0)
    return float(np.abs(ours - theirs).max(initial=0.0) / max(scale, 1e-30))


def show(results: Sequence[Result], engines: Sequence[str]) -> None:
    """Print the table and the geometric mean of the ratios."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "threads", *[f"{e} ms" for e in engines], "ratio", "deviation", title="minimum (median), batch 1")
    for r in results:
        cells = [f"{r.minimum[e]:.3f} ({r.median[e]:.3f})" if e in r.minimum else "-" for e in engines]
        table.add_row(r.network, str(r.threads), *cells, f"{r.ratio:.2f}", f"{r.deviation:.1e}")
    console = Console(width=150)
    console.print(table)
    for threads in sorted({r.threads for r in results}):
        mine = [r for r in results if r.threads == threads]
        for peers in (PEERS, *((p,) for p in PEERS)):
            ratios = [a for r in mine if not np.isnan(a := r.against(peers))]
            if ratios:
                mean = float(np.exp(np.mean(np.log(ratios))))
                console.print(f"{threads} thread(s), {' and '.join(peers)}: geometric mean {mean:.2f}, least {min(ratios):.2f}")
    for r in results:
        for name, reason in r.failed.items():
            console.print(f"{r.network}: {name} left out: {reason}")


def plot(results: Sequence[Result], path: Path) -> None:
    """Bars of the ratios."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 0.35 * len(results) + 1.2))
    labels = [f"{r.network} x{r.threads}" for r in results]
    axes.barh(labels, [r.ratio for r in results], color=["#3b6ea5" if r.ratio >= 1 else "#c44e52" for r in results])
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("best of " + " and ".join(PEERS) + " / edgeopt (minimum time)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    return name, tuple(int(size) for size in sizes.split(","))


def _binding(text: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    return name, float(number)


def main() -> None:
    """Measure every model at every number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--engines", nargs="+", default=["edgeopt", *PEERS], choices=list(ENGINES))
    parser.add_argument("--seconds", type=float, default=3.0, help="time per engine and network")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--target", default="host")
    parser.add_argument("--mask", action="store_true", help="hold every peer to the instructions of an AVX2 target")
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS), help="processor time is for one thread only")
    parser.add_argument("--shape", type=_shape, action="append", default=[], metavar="NAME=1,3,224,224")
    parser.add_argument("--bind", type=_binding, action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--inputs", type=Path, metavar="FILE.npz")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    a = parser.parse_args()
    given = Given(dict(a.shape), dict(a.bind), dict(np.load(a.inputs)) if a.inputs else {})
    restricted = restrict(find_target(a.target), a.mask)
    settings = {"level": a.level, "target": a.target}
    engines = list(dict.fromkeys(["edgeopt", *a.engines]))
    clock = CLOCKS[a.clock]
    results = [measure(path, threads, engines, a.seconds, settings, clock, given) for path in a.models for threads in a.threads]
    show(results, engines)
    print(restricted, end="\n" if restricted else "")
    if a.json:
        a.json.write_text(json.dumps([{**asdict(r), "ratio": r.ratio} for r in results], indent=1) + "\n")
    if a.plot:
        plot(results, a.plot)


if __name__ == "__main__":
    main()
