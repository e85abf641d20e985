"""The second back end against the first on whole networks: ``python -m benchmarks.backends MODEL... [--level 1] [--json]``.

Both compile one program. Shown are the share of steps with TIR of their own and the kernels of the others, the greatest
difference of results (of floats relative to the greatest value; of integers the number of elements that differ), and the least
milliseconds on one thread of runs in turn. ``--share`` stops before code is run. The exit code is 1 where results differ by more
than 1e-4, or any integer.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import random_inputs
from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, find_backend
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.lower.lowering import lower
from edgeopt.lower.table import kernels_for
from edgeopt.pipeline import optimize
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import target

TOLERANCE = 1e-4
MARKS = ("numba", "tvm")


@dataclass
class Row:
    """One network: its steps, those with TIR, the kernels of the others; where it was run, the difference and both times."""

    network: str
    steps: int
    own: int
    rest: dict[str, int]
    difference: float | None = None
    differing: int | None = None
    milliseconds: dict[str, float] | None = None

    @property
    def right(self) -> bool:
        """Whether both back ends agree."""
        return not self.differing and (self.difference is None or self.difference <= TOLERANCE)


def share(path: Path, level: int) -> Row:
    """What of a network has TIR, without running it."""
    graph = load(path)
    optimize(graph, level)
    host = target("host")
    record = find_backend("tvm").record(lower(graph, host, "network", kernels_for(level)), host)
    return Row(path.name, record["steps"], record["own"], record["rest"])


def compared(path: Path, level: int, rounds: int) -> Row:
    """A network compiled by both, its results and times."""
    graph, row = load(path), share(path, level)
    optimize(graph, level)
    models = [assemble(graph, target("host"), level, backend=backend) for backend in (NUMBA, find_backend("tvm"))]
    inputs = random_inputs(path)
    results = [model.run(inputs) for model in models]
    pairs = [(np.asarray(value), np.asarray(results[1][name])) for name, value in results[0].items()]
    row.difference = max((_difference(a, b) for a, b in pairs if a.dtype.kind == "f"), default=0.0)
    row.differing = sum(int((a != b).sum()) for a, b in pairs if a.dtype.kind != "f")
    row.milliseconds = dict(zip(MARKS, _least(models, inputs, rounds), strict=True))
    return row


def _difference(a: Array, b: Array) -> float:
    return float(np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-9)) if a.size else 0.0


def _least(models: list[CompiledModel], inputs: dict[str, Array], rounds: int) -> list[float]:
    best = [float("inf")] * len(models)
    for _ in range(rounds):
        for i, model in enumerate(models):
            started = time.perf_counter()
            model.run(inputs)
            best[i] = min(best[i], 1e3 * (time.perf_counter() - started))
    return best


def _shown(row: Row) -> str:
    rest = ", ".join(f"{kernel} {count}" for kernel, count in row.rest.items())
    text = f"{row.network}: {row.own} of {row.steps} steps; others: {rest or 'none'}"
    if row.milliseconds is None:
        return text
    times = " ".join(f"{name} {ms:.2f}" for name, ms in row.milliseconds.items())
    return f"{text}; difference {row.difference:.1e}, {row.differing} integers; ms {times}"


def main() -> None:
    """Print a line for each network, then the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--share", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for path in given.models:
        rows.append(share(path, given.level) if given.share else compared(path, given.level, given.rounds))
        print(json.dumps(asdict(rows[-1])) if given.json else _shown(rows[-1]), flush=True)
    rest = sum((Counter(row.rest) for row in rows), Counter[str]())
    total = Row("all", sum(row.steps for row in rows), sum(row.own for row in rows), dict(rest.most_common()))
    print(json.dumps(asdict(total)) if given.json else _shown(total))
    sys.exit(0 if all(row.right for row in rows) else 1)


if __name__ == "__main__":
    main()
