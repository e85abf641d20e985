"""The second back end against the first on whole networks: ``python -m benchmarks.backends MODEL... [--level 1] [--json]``.

Both compile one program. Shown are the share of steps with TIR of their own, how many of these are translated from kernel
functions, and the kernels of the others; the greatest difference of results (of floats relative to the greatest value; of
integers the number of elements that differ), and the least milliseconds of processor time on one thread of runs in turn.
``--share`` stops before code is run; with ``--target arm`` both run under emulation, untimed, from weights that are not coded.
``--relax`` lets TVM's own untuned build run after them, twice, since it is slow. The exit code is 1 where results differ by more
than 1e-4, or any integer, or less than ``--least`` percent of a network's steps have TIR.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peers import random_inputs
from benchmarks.relax import relax
from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, find_backend
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import optimize
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.writing import SMALLEST, FileForm
from edgeopt.target import Target, target

TOLERANCE = 1e-4
MARKS = ("numba", "tvm", "relax")
PLAIN = FileForm(coded=False, onnx=False)  # an emulated loader would decode for longer than the network runs
FEW = 2  # runs of what is slow


@dataclass
class Row:
    """One network: its steps, those with TIR, the kernels of the others; where it was run, the difference and both times."""

    network: str
    steps: int
    own: int
    translated: int
    rest: dict[str, int]
    difference: float | None = None
    differing: int | None = None
    milliseconds: dict[str, float] | None = None

    @property
    def right(self) -> bool:
        """Whether both back ends agree."""
        return not self.differing and (self.difference is None or self.difference <= TOLERANCE)


def share(path: Path, level: int, where: Target) -> Row:
    """What of a network has TIR, without running it."""
    graph = load(path)
    optimize(graph, level)
    record = find_backend("tvm").record(lower(graph, where, "network", kernels_for(level)), where)
    return Row(path.name, record["steps"], record["own"], record["translated"], record["rest"])


def compared(path: Path, level: int, where: Target, rounds: int, untuned: bool = False) -> Row:
    """A network compiled by both, its results, and on this machine its times."""
    models, inputs = both_models(path, level, where), random_inputs(path)
    record, run = models[1].manifest["backend"], CompiledModel.run if where.name == "host" else _emulated
    row = Row(path.name, record["steps"], record["own"], record["translated"], record["rest"])
    results = [run(model, inputs) for model in models]
    pairs = [(np.asarray(value), np.asarray(results[1][name])) for name, value in results[0].items()]
    row.difference = max((difference(a, b) for a, b in pairs if a.dtype.kind == "f"), default=0.0)
    row.differing = sum(int((a != b).sum()) for a, b in pairs if a.dtype.kind != "f")
    if where.name == "host":
        least = _least([partial(model.run, inputs) for model in models], rounds)
        least += _least([relax(path, inputs)], FEW) if untuned else []
        row.milliseconds = dict(zip(MARKS, least, strict=False))
    return row


def both_models(path: Path, level: int, where: Target) -> list[CompiledModel]:
    """One optimised graph compiled by both back ends."""
    graph, library = load(path), where.name != "host"
    optimize(graph, level)
    made = partial(assemble, graph, where, level, symbol="network", library=library, form=PLAIN if library else SMALLEST)
    return [made(backend=backend) for backend in (NUMBA, find_backend("tvm"))]


def _emulated(model: CompiledModel, inputs: dict[str, Array]) -> dict[str, Array]:
    with Emulator(model) as emulator:
        return emulator.run(inputs)


def difference(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-9)) if a.size else 0.0


def _least(runs: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for i, run in enumerate(runs):
            started = time.process_time()
            run()
            best[i] = min(best[i], 1e3 * (time.process_time() - started))
    return best


def _shown(row: Row) -> str:
    rest = ", ".join(f"{kernel} {count}" for kernel, count in row.rest.items())
    text = f"{row.network}: {row.own} of {row.steps} steps, {row.translated} translated; others: {rest or 'none'}"
    if row.difference is not None:
        text += f"; difference {row.difference:.1e}, {row.differing} integers"
    if row.milliseconds is None:
        return text
    ratio = row.milliseconds["tvm"] / row.milliseconds["numba"]
    text += "; ms " + " ".join(f"{name} {ms:.2f}" for name, ms in row.milliseconds.items()) + f" ({ratio:.2f})"
    return f"{text}; {row.milliseconds['relax'] / row.milliseconds['tvm']:.0f} times" if "relax" in row.milliseconds else text


def main() -> None:
    """Print a line for each network, then the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--target", default="host")
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--share", action="store_true")
    parser.add_argument("--relax", action="store_true")
    parser.add_argument("--json", action="store_true")
    given, rows = parser.parse_args(), list[Row]()
    where = target(given.target)
    for path in given.models:
        more = (given.rounds, given.relax)
        rows.append(share(path, given.level, where) if given.share else compared(path, given.level, where, *more))
        print(json.dumps(asdict(rows[-1])) if given.json else _shown(rows[-1]), flush=True)
    total = _total(rows)
    print(json.dumps(asdict(total)) if given.json else _shown(total))
    sys.exit(0 if all(row.right and 100 * row.own >= given.least * row.steps for row in rows) else 1)


def _total(rows: Sequence[Row]) -> Row:
    rest = sum((Counter(row.rest) for row in rows), Counter[str]())
    steps, own, translated = (sum(getattr(row, name) for row in rows) for name in ("steps", "own", "translated"))
    return Row("all", steps, own, translated, dict(rest.most_common()))


if __name__ == "__main__":
    main()
