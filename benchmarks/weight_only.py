"""Weights in few bits against float32, in bytes and in time: ``python -m benchmarks.weight_only MODEL... [--schemes w8 w4 ...]``.

Weights are rounded to nearest, since only sizes and times are asked for. One thread; every round runs each form once, in turn in
one process; ratios are those of the least times. The products are also timed by themselves: the sum of the least times of the
steps of fully connected layers, of convolutions and of recurrent layers, in each form.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.peers import random_inputs
from edgeopt.assembly import assemble
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.ops.grid import SCHEMES
from edgeopt.pipeline import optimize
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.sketch import sketched
from edgeopt.target import target as find_target

FLOAT = "float32"
GROUPS = {
    "fully connected": ("FusedGemm", "HybridGemm", "QuantGemm"),
    "convolutions": ("FusedConv", "HybridConv", "QuantConv"),
    "recurrent": tuple(f"{form}{op}" for form in ("", "Hybrid", "Quant") for op in ("LSTM", "GRU", "RNN")),
}


@dataclass
class Form:
    """One network in one form: bytes of its weights, and milliseconds of the whole and of groups of layers."""

    network: str
    scheme: str
    weight_bytes: int
    milliseconds: float
    layers: dict[str, float]


def compiled(path: Path, name: str, level: int, target: str) -> CompiledModel:
    """The network with weights of a scheme, or in float."""
    facts = find_target(target)
    if name == FLOAT:
        graph = load(path)
        optimize(graph, level)
    else:
        _, graph = sketched(load(path), name, facts, level)
    return assemble(graph, facts, level)


def measure(path: Path, schemes: list[str], level: int, target: str, seconds: float, repeats: int) -> list[Form]:
    """Every form of one network, float first."""
    inputs = random_inputs(path)
    models = {name: compiled(path, name, level, target) for name in [FLOAT, *schemes]}
    times: dict[str, list[float]] = {name: [_milliseconds(model, inputs)] for name, model in models.items()}
    end = time.perf_counter() + seconds * len(models)
    while time.perf_counter() < end:
        for name, model in models.items():
            times[name].append(_milliseconds(model, inputs))
    rounds = [{name: model.profile(inputs, 2) for name, model in models.items()} for _ in range(repeats)]
    least = {name: [min(step) for step in zip(*(r[name] for r in rounds), strict=True)] for name in models}
    return [
        Form(path.stem, name, len(m.files["weights.bin"]), min(times[name]), _layers(m, least[name]))
        for name, m in models.items()
    ]


def _milliseconds(model: CompiledModel, inputs: dict[str, Array]) -> float:
    started = time.perf_counter()
    model.run(inputs)
    return 1e3 * (time.perf_counter() - started)


def _layers(model: CompiledModel, seconds: list[float]) -> dict[str, float]:
    """Milliseconds of the steps of each group of layers."""
    steps = list(zip(model.manifest["kernels"], seconds, strict=True))
    return {group: 1e3 * sum(s for about, s in steps if about["op"] in ops) for group, ops in GROUPS.items()}


def show(forms: list[Form]) -> None:
    """Print bytes, times and ratios to float."""
    from rich.console import Console
    from rich.table import Table

    columns = ("network", "weights", "kB", "of float", "ms", "faster", *(f"{g} {c}" for g in GROUPS for c in ("ms", "faster")))
    table = Table(*columns, title="least times, one thread")
    whole = {f.network: f for f in forms if f.scheme == FLOAT}
    for f in forms:
        one = whole[f.network]
        cells = [f"{f.weight_bytes / 1e3:,.0f}", f"{100 * f.weight_bytes / one.weight_bytes:.1f} %", f"{f.milliseconds:.3f}"]
        cells.append(f"{one.milliseconds / f.milliseconds:.2f}")
        for group, spent in f.layers.items():
            cells += [f"{spent:.3f}", f"{one.layers[group] / spent:.2f}"] if spent else ["", ""]
        table.add_row(f.network, f.scheme, *cells)
    Console(width=150).print(table)


def main() -> None:
    """Measure every model in every scheme."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--schemes", nargs="+", default=["fp16", "w8", "w4", "w2", "w1"], choices=list(SCHEMES))
    parser.add_argument("--level", type=int, default=1, help="2 gives the float network Winograd convolutions")
    parser.add_argument("--target", default="host", help="a target this machine can run")
    parser.add_argument("--seconds", type=float, default=2.0, help="time per form")
    parser.add_argument("--repeats", type=int, default=10, help="rounds in which each layer runs by itself")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    forms = [f for p in a.models for f in measure(p, a.schemes, a.level, a.target, a.seconds, a.repeats)]
    show(forms)
    if a.json:
        a.json.write_text(json.dumps([asdict(f) for f in forms], indent=1) + "\n")


if __name__ == "__main__":
    main()
