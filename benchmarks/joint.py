"""The joint search on real networks: does the budget hold on samples it never saw, how fast and how small is what it finds?

    python -m benchmarks.joint --models DIR --data DIR [--only NAME,...] [--prefer speed,size] [--seeds 0,1] [--max-drop PP]
        [--search-time SECONDS] [--single] [--train DIR] [--blind] [--alone] [--json FILE]

Folders are those of ``benchmarks.networks``. Half of NAME.eval.npz, drawn by the seed, is what the search may look at; the other
half judges. Times are interleaved minima against onnxruntime in float on one thread. Sizes are those of the files of weights and
code against the ONNX file, and those of all constants as they are coded against those of the model. ``--single`` adds int8
everywhere (``--quantize w8a8``), and pruning and few values (``--objective size``). ``--train`` adds the smallest network that
training on DIR/NAME.train.npz makes (``--prefer ''`` for it alone). With ``--blind`` no search sees any data, and all of
NAME.eval.npz judges; with ``--alone`` the half that a search sees is all that it has, without NAME.cal.npz. Rows that FILE has
already are not made again: a run that was stopped goes on.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, log, nan
from pathlib import Path
from typing import Any

import numpy as np

import edgeopt
from benchmarks.engines import least_in_turns
from benchmarks.networks import data_of, network_arguments, networks, reported
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_interval
from edgeopt.examine.engines import onnxruntime
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import stored_code
from edgeopt.search.stored import constants_bytes, constants_size

ROUNDS = 60  # turns of each engine


@dataclass
class Row:
    """One search: points lost where it looked and on unseen samples, with the end of the interval of 95 % of those; times in

    microseconds of an inference; bytes as stored, of all files and of constants alone; seconds that the search took, by the clock
    and of the processor.
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
    constants_before: int
    constants: int
    took: float
    processor: float

    @property
    def faster(self) -> float:
        """Times as fast as onnxruntime in float."""
        return self.onnxruntime / self.ours

    @property
    def smaller(self) -> float:
        """Times as small as the file."""
        return self.source / self.bytes

    @property
    def constants_smaller(self) -> float:
        """The same of constants alone."""
        return self.constants_before / self.constants


def halves(data: DataSet, seed: int) -> tuple[DataSet, DataSet]:
    """(what the search sees, what it does not)."""
    order = np.random.default_rng([seed, 7]).permutation(len(data))
    cut = len(data) // 2
    return data.take(np.sort(order[:cut])), data.take(np.sort(order[cut:]))


TRAINED = "size, trained"
SINGLE: dict[str, dict[str, Any]] = {"w8a8": {"quantize": "w8a8"}, "prune and share": {"objective": "size"}}


def rows(given: Namespace) -> Iterator[Row]:
    """A row for each network, way and seed: those that were made before, and then the others."""
    ways: dict[str, dict[str, Any]] = {way: {"prefer": way} for way in given.prefer.split(",") if way}
    ways |= SINGLE if given.single else {}
    ways |= {TRAINED: {"prefer": "size"}} if given.train is not None else {}
    before = [] if given.json is None or not given.json.exists() else json.loads(given.json.read_text())
    known = {(row["network"], row["way"], row["seed"]): Row(**row) for row in before}
    for path in networks(given):
        for seed in map(int, given.seeds.split(",")):
            for way, options in ways.items():
                yield known.get((path.stem, way, seed)) or searched(path, given, way, seed, options)


def searched(path: Path, given: Namespace, way: str, seed: int, options: dict[str, Any]) -> Row:
    """What one search finds."""
    graph = load(path)
    calibration, data = data_of(path, given.data, graph)
    seen, unseen = (None, data) if given.blind else halves(data, seed)
    train = given.train / f"{path.stem}.train.npz" if way == TRAINED else None
    asked = edgeopt.Options(seed=seed, onnx=False, search_time=given.search_time, train=train, **options)
    begun, used = time.monotonic(), time.process_time()
    calibrating = None if given.blind or given.alone else calibration
    made = edgeopt.compile(path, 3, data=seen, calibration=calibrating, max_drop=given.max_drop, options=asked)
    took, processor = time.monotonic() - begun, time.process_time() - used
    exact = edgeopt.compile(path, 2)
    before, after = (decided(model, unseen) for model in (exact, made))
    assert unseen.labels is not None
    pairs = before == unseen.labels, after == unseen.labels
    record = made.manifest["quantization"]
    lost = 100 * float(np.mean(pairs[0]) - np.mean(pairs[1]))
    return Row(
        path.stem,
        way,
        seed,
        nan if given.blind else record["before"] - record["after"],
        lost,
        drop_interval(*pairs)[1],
        len(unseen),
        100 * float(np.mean(pairs[0])),
        *timed(path, made, unseen),
        path.stat().st_size,
        len(made.files["weights.bin"]) + stored_code(made.files),
        constants_size(graph),
        constants_bytes(made.graph),
        took,
        processor,
    )


def decided(model: CompiledModel, data: DataSet) -> Array:
    """The class of each sample."""
    return metrics.decisions(next(iter(model.run(data.arrays).values())))


def timed(path: Path, made: CompiledModel, data: DataSet) -> tuple[float, float]:
    """Microseconds of onnxruntime in float and of what was found, in turns."""
    one = data.take(slice(0, 1)).arrays
    runs = [onnxruntime(path, one, 1), lambda: made.run(one)]
    theirs, ours = least_in_turns(runs, ROUNDS)
    return 1e6 * theirs, 1e6 * ours


def markdown(found: list[Row], most: float = 1.0) -> str:
    """A table, with geometric means and how often no more than ``most`` points were lost."""
    lines = [
        "| network | way | seed | lost, seen | lost, unseen (at most) | faster | smaller | constants | s, processor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in found:
        figures = f"{r.lost_seen:+.2f} | {r.lost_unseen:+.2f} ({r.reach:.2f}) of {r.before:.1f} % on {r.samples}"
        ratios = f"{r.faster:.2f} | {r.smaller:.1f} | {r.constants_smaller:.1f}"
        lines.append(f"| {r.network} | {r.way} | {r.seed} | {figures} | {ratios} | {r.took:.0f}, {r.processor:.0f} |")
    for way in dict.fromkeys(r.way for r in found):
        mine = [r for r in found if r.way == way]
        means = " | ".join(f"{mean(mine, name):.{digits}f}" for name, digits in RATIOS.items())
        held = sum(r.lost_unseen <= most + 1e-9 for r in mine)  # 2 of 200 are a point
        lines.append(f"| geometric mean | {way} | | | {held} of {len(mine)} lose at most {most:g} points | {means} | |")
    return "\n".join(lines)


RATIOS = {"faster": 2, "smaller": 1, "constants_smaller": 1}  # and digits behind the point


def mean(found: list[Row], name: str) -> float:
    """The geometric mean over networks of that over seeds."""
    each = [[log(getattr(r, name)) for r in found if r.network == network] for network in {r.network for r in found}]
    return exp(sum(sum(of_one) / len(of_one) for of_one in each) / len(each))


if __name__ == "__main__":
    parser = network_arguments(__doc__)
    parser.add_argument("--prefer", default="speed,size")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--max-drop", type=float, default=1.0)
    parser.add_argument("--search-time", type=float)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    reported(rows(arguments), partial(markdown, most=arguments.max_drop), arguments.json)
