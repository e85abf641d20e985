"""The joint search on real networks: does the budget hold on samples it never saw, how fast and how small is what it finds?

    python -m benchmarks.joint --models DIR --data DIR [--only NAME,...] [--prefer speed,size] [--seeds 0,1] [--max-drop PP]
        [--search-time SECONDS] [--single] [--json FILE]

Folders are those of ``benchmarks.networks``. Half of NAME.eval.npz, drawn by the seed, is what the search may look at; the other
half judges. Times are interleaved minima against onnxruntime in float on one thread; sizes are those of the files of weights and
code against the ONNX file. ``--single`` adds a row for int8 everywhere (``--quantize w8a8``).
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
from benchmarks.networks import data_of, network_arguments, networks, reported
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_interval
from edgeopt.examine.engines import onnxruntime
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel

BURST, ROUNDS = 0.02, 60  # seconds of each engine's turn, and turns


@dataclass
class Row:
    """One search: points lost where it looked and on unseen samples, with the end of the interval of 95 % of those; times in

    microseconds of an inference; bytes as stored; seconds that the search took.
    """

    network: str
    way: str
    seed: int
    lost_seen: float
    lost_unseen: float
    reach: float
    samples: int
    before: float
    onnxruntime: float
    ours: float
    source: int
    bytes: int
    took: float

    @property
    def faster(self) -> float:
        """Times as fast as onnxruntime in float."""
        return self.onnxruntime / self.ours

    @property
    def smaller(self) -> float:
        """Times as small as the file."""
        return self.source / self.bytes


def halves(data: DataSet, seed: int) -> tuple[DataSet, DataSet]:
    """(what the search sees, what it does not)."""
    order = np.random.default_rng([seed, 7]).permutation(len(data))
    cut = len(data) // 2
    return data.take(np.sort(order[:cut])), data.take(np.sort(order[cut:]))


def rows(given: Namespace) -> Iterator[Row]:
    """A row for each network, way and seed."""
    ways: dict[str, dict[str, Any]] = {way: {"prefer": way} for way in given.prefer.split(",")}
    ways |= {"w8a8": {"quantize": "w8a8"}} if given.single else {}
    for path in networks(given):
        for seed in map(int, given.seeds.split(",")):
            for way, options in ways.items():
                yield searched(path, given, way, seed, options)


def searched(path: Path, given: Namespace, way: str, seed: int, options: dict[str, Any]) -> Row:
    """What one search finds."""
    calibration, data = data_of(path, given.data, load(path))
    seen, unseen = halves(data, seed)
    asked = edgeopt.Options(seed=seed, onnx=False, search_time=given.search_time, **options)
    begun = time.monotonic()
    made = edgeopt.compile(path, 3, data=seen, calibration=calibration, max_drop=given.max_drop, options=asked)
    took = time.monotonic() - begun
    exact = edgeopt.compile(path, 2)
    before, after = (decided(model, unseen) for model in (exact, made))
    assert unseen.labels is not None
    pairs = before == unseen.labels, after == unseen.labels
    record = made.manifest["quantization"]
    theirs, ours = timed(path, made, unseen)
    stored = len(made.files["weights.bin"]) + code_bytes(made)
    lost = 100 * float(np.mean(pairs[0]) - np.mean(pairs[1]))
    right = 100 * float(np.mean(pairs[0]))
    seen_lost = record["before"] - record["after"]
    reach = drop_interval(*pairs)[1]
    return Row(path.stem, way, seed, seen_lost, lost, reach, len(unseen), right, theirs, ours, path.stat().st_size, stored, took)


def decided(model: CompiledModel, data: DataSet) -> Array:
    """The class of each sample."""
    return metrics.decisions(next(iter(model.run(data.arrays).values())))


def code_bytes(model: CompiledModel) -> int:
    """Bytes of code."""
    from edgeopt.codegen.elf import Elf

    return Elf(bytes(model.files["model.o"])).loaded_bytes


def timed(path: Path, made: CompiledModel, data: DataSet) -> tuple[float, float]:
    """Microseconds of onnxruntime in float and of what was found, in turns."""
    one = data.take(slice(0, 1)).arrays
    runs = [onnxruntime(path, one, 1), lambda: made.run(one)]
    best = [float("inf")] * len(runs)
    for _ in range(ROUNDS):
        for which, run in enumerate(runs):
            end = time.perf_counter() + BURST
            while time.perf_counter() < end:
                begun = time.perf_counter()
                run()
                best[which] = min(best[which], time.perf_counter() - begun)
    return 1e6 * best[0], 1e6 * best[1]


def markdown(found: list[Row]) -> str:
    """A table, with geometric means and how often the budget held."""
    lines = [
        "| network | way | seed | lost, seen | lost, unseen (at most) | faster | smaller | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in found:
        figures = f"{r.lost_seen:+.2f} | {r.lost_unseen:+.2f} ({r.reach:.2f}) of {r.before:.1f} % on {r.samples}"
        lines.append(f"| {r.network} | {r.way} | {r.seed} | {figures} | {r.faster:.2f} | {r.smaller:.1f} | {r.took:.0f} |")
    for way in dict.fromkeys(r.way for r in found):
        mine = [r for r in found if r.way == way]
        fast, small = (
            exp(sum(log(v) for v in values) / len(mine)) for values in ([r.faster for r in mine], [r.smaller for r in mine])
        )
        held = sum(r.lost_unseen <= 1.0 for r in mine)
        lines.append(f"| geometric mean | {way} | | | {held} of {len(mine)} lose at most 1 point | {fast:.2f} | {small:.1f} | |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = network_arguments(__doc__)
    parser.add_argument("--prefer", default="speed,size")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--search-time", type=float)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    reported(rows(arguments), markdown, arguments.json)
