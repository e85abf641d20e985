"""Where one back end takes longer than the other: ``python -m benchmarks.backend_steps MODEL... [--rounds 50] [--first 10]``.

The steps of a network are timed by both back ends in turn, on one thread, each step where it stands. Shown are the kernels with
the greatest loss of time in all their steps, and the single step that loses most.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.backends import both_models
from benchmarks.peers import random_inputs
from edgeopt.runtime.step_clock import StepClock
from edgeopt.target import target


def times(path: Path, level: int, rounds: int) -> tuple[list[str], list[float], list[float]]:
    """The kernels of the steps, and the least seconds of each by both back ends."""
    models, inputs = both_models(path, level, target("host")), random_inputs(path)
    clocks = [StepClock(model, inputs) for model in models]
    for _ in range(rounds):
        for clock in clocks:
            clock.sample()
    one, other = (clock.seconds() for clock in clocks)
    return [kernel["kernel"] for kernel in models[0].manifest["kernels"]], one, other


def rows(kernels: Sequence[str], one: Sequence[float], other: Sequence[float]) -> list[tuple[str, list[int]]]:
    """The kernels with the numbers of their steps, greatest loss first."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, kernel in enumerate(kernels):
        found[kernel].append(number)
    return sorted(found.items(), key=lambda row: sum(one[i] - other[i] for i in row[1]))


def main() -> None:
    """Print the kernels of each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--first", type=int, default=10)
    given = parser.parse_args()
    for path in given.models:
        kernels, one, other = times(path, given.level, given.rounds)
        print(f"{path.name}: numba {1e3 * sum(one):.2f} tvm {1e3 * sum(other):.2f} ms, {sum(other) / sum(one):.2f} times")
        for kernel, steps in rows(kernels, one, other)[: given.first]:
            a, b = (1e6 * sum(of[i] for i in steps) for of in (one, other))
            worst = max(steps, key=lambda i: other[i] - one[i])
            about = f"step {worst} {1e6 * one[worst]:.1f} {1e6 * other[worst]:.1f}"
            print(f"  {kernel} x{len(steps)}: {a:.0f} {b:.0f} us, {b / max(a, 1e-9):.2f} times; {about}", flush=True)


if __name__ == "__main__":
    main()
