"""Rounding errors of engines against double precision: ``python -m benchmarks.float64_error MODEL...``.

Errors are the largest of an output relative to its range, and of them the largest over the samples. ``from ort`` is the
deviation of the level from onnxruntime without optimisations: two engines differ by as much as both err together, so it says
little of a network that magnifies roundings. ``moved`` says how much it does: what the exact output moves by when each input
moves by its last bit. A level that errs more than ``WORSE`` times the worst peer, and more than ``LIMIT``, is a fault. Exit code
1 when there is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.double_precision import evaluated
from benchmarks.engines import edgeopt_engine
from benchmarks.peers import random_inputs
from edgeopt.examine.engines import onnxruntime, openvino
from edgeopt.ir import Array

LIMIT, WORSE = 1e-4, 2.0
Engine = Callable[[Path, Mapping[str, Array], int], Callable[[], Sequence[Array]]]
PEERS: dict[str, Engine] = {"ort plain": partial(onnxruntime, optimized=False), "ort": onnxruntime, "openvino": openvino}


def error(expected: Sequence[Array], actual: Sequence[Array]) -> float:
    """The largest difference relative to the range of its output."""
    pairs = [(e.astype(np.float64), a.astype(np.float64)) for e, a in zip(expected, actual, strict=True)]
    return max(float(np.abs(e - a).max() / max(np.ptp(e), 1e-30)) for e, a in pairs)


def moved(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Float inputs up or down by their last bit, at random."""
    rng = np.random.default_rng(1)
    return {
        name: np.nextafter(a, rng.choice([-np.inf, np.inf], a.shape).astype(a.dtype)) if a.dtype.kind == "f" else a
        for name, a in inputs.items()
    }


def row(path: Path, levels: Sequence[int], samples: int) -> tuple[list[float], bool]:
    """The numbers of a model in the order of ``header``; whether a level errs too much."""
    numbers = np.max([sample(path, levels, random_inputs(path, seed)) for seed in range(samples)], axis=0)
    ours, theirs = numbers[: len(levels)], numbers[len(levels) : len(levels) + len(PEERS)]
    return list(numbers), bool((ours > max(LIMIT, WORSE * theirs.max())).any())


def sample(path: Path, levels: Sequence[int], inputs: Mapping[str, Array]) -> list[float]:
    """The numbers of a model on one sample."""
    exact = evaluated(path, inputs)
    made = {name: make(path, inputs, 1)() for name, make in PEERS.items()}
    own = [edgeopt_engine(path, inputs, 1, level=level)() for level in levels]
    theirs, ours = [error(exact, y) for y in made.values()], [error(exact, y) for y in own]
    apart = [error(made["ort plain"], y) for y in own]
    return [*ours, *theirs, *apart, error(exact, evaluated(path, moved(inputs)))]


def header(levels: Sequence[int]) -> list[str]:
    """The names of the columns behind that of the model."""
    return [*(f"-O{level}" for level in levels), *PEERS, *(f"-O{level} from ort" for level in levels), "moved"]


def main() -> int:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--samples", type=int, default=3)
    arguments = parser.parse_args()
    names, failed = header(arguments.levels), False
    print(f"{'model':28}", *(f"{name:>12}" for name in names))
    for path in arguments.models:
        numbers, fault = row(path, arguments.levels, arguments.samples)
        failed |= fault
        print(f"{path.stem:28}", *(f"{number:12.1e}" for number in numbers), "ERRS" if fault else "", flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
