"""What training reaches, and how long it takes.

    python -m benchmarks.tune --models DIR --data DIR [--only NAME,...] [--ways WAY;...] [--seed S] [--json FILE]

DIR of --models holds NAME.onnx; DIR of --data holds NAME.train.npz to train on (a tenth is held out) and NAME.eval.npz, which
is for the figures alone (one array per input, ``labels``). Bytes are those of weights.bin, which is decoded and compared. Minutes
are those of the processor: two cores that nobody else uses take half of them at best, one core all. Ratios of times are of
least times, in turn, one thread. Samples that leave early are those of NAME.eval.npz.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import edgeopt
from benchmarks.networks import network_arguments, networks, reported
from benchmarks.tune_ways import WAYS, Way
from edgeopt.evaluate.data import DataSet, read
from edgeopt.frontend import load
from edgeopt.runtime.clock import Clock
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.latency import latencies

SPARSE, TURNS, ROUNDS, TIMED = 2, 300, 5, 200  # the level at which zeros are skipped


@dataclass(frozen=True)
class Row:
    """Percent right before (of the teacher) and after by compiled code, bytes of the weights as stored, steps of the training.

    ``minutes`` of processor time for all the work, ``wall`` as it was. ``faster`` than the dense network of the same form, or, on
    mean samples, than the network without exits; ``leave`` percent of the samples at each exit.
    """

    network: str
    way: str
    seed: int
    before: float
    after: float
    bytes: int
    steps: int
    minutes: float
    wall: float
    faster: float | None = None
    leave: tuple[float, ...] = ()


def trained(way: Way, model: Path, data: Path, seed: int) -> Row:
    """One way, from the model file to the artifact on disk, which is read again."""
    started, used = time.perf_counter(), time.process_time()
    train, evaluation = (data / f"{way.network}.{part}.npz" for part in ("train", "eval"))
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(way.recipe)
        teacher = model.with_name(f"{way.teacher}.onnx") if way.teacher else None
        made = edgeopt.tune(model, train, recipe, data=evaluation, seed=seed, level=SPARSE if way.dense else 1, teacher=teacher)
        made.save(Path(folder) / "made")
        wall, minutes = time.perf_counter() - started, (time.process_time() - used) / 60
        loaded, size = edgeopt.load(Path(folder) / "made"), (Path(folder) / "made" / "weights.bin").stat().st_size
    if bytes(made.weights) != bytes(loaded.weights):
        raise SystemExit("the weights on disk are not those that were trained")
    found, samples = made.manifest["quantization"], read(evaluation, load(model))
    figures = (found["before"], found["after"], size, made.manifest["training"]["steps"], minutes, wall / 60)
    return Row(way.network, way.name, seed, *figures, _faster(way, made, model, train, samples), _leaving(made, samples))


def _faster(way: Way, made: CompiledModel, model: Path, train: Path, samples: DataSet) -> float | None:
    """Times as fast as what it is compared with; None where that is nothing."""
    if way.dense:
        options = edgeopt.Options(quantize=way.dense)
        dense = edgeopt.compile(model, SPARSE, data=read(train, load(model)).subset(2000), max_drop=100, options=options)
        clocks = [Clock(each, samples.take(slice(0, 1)).arrays) for each in (dense, made)]
        times = np.array([[clock() for clock in clocks] for _ in range(TURNS)]).min(axis=0)
        return float(times[0] / times[1])
    if "exits" in made.manifest:
        plain = edgeopt.compile(model, 1)
        before, after = latencies((plain, made), samples.subset(TIMED), 1, ROUNDS)
        return before.mean / after.mean
    return None


def _leaving(made: CompiledModel, samples: DataSet) -> tuple[float, ...]:
    """Percent of the samples at each exit and the end; () without exits."""
    name = next((out.name for out in made.outputs if out.name.endswith(".exit")), None)
    if name is None:
        return ()
    where = np.array([int(np.ravel(made.run(samples.take(slice(i, i + 1)).arrays)[name])[0]) for i in range(len(samples))])
    return tuple(100 * float(np.mean(where == k)) for k in range(len(made.manifest["exits"]["exits"]) + 1))


def rows(given_ways: list[str], models: dict[str, Path], data: Path, seed: int) -> Iterator[Row]:
    """Every way of every network that is there."""
    for way in WAYS:
        if way.network in models and (not given_ways or way.name in given_ways):
            yield trained(way, models[way.network], data, seed)


def markdown(found: list[Row]) -> str:
    """One line per row."""
    heads = (
        "network",
        "way",
        "seed",
        "% right",
        "after",
        "weights.bin",
        "steps",
        "processor min",
        "wall min",
        "times as fast",
        "% leave",
    )
    lines = [f"| {' | '.join(heads)} |", "|" + len(heads) * "---|"]
    for r in found:
        faster, leave = "" if r.faster is None else f"{r.faster:.2f}", ", ".join(f"{share:.1f}" for share in r.leave)
        figures = f"{r.before:.2f} | {r.after:.2f} | {r.bytes:,} | {r.steps:,} | {r.minutes:.1f} | {r.wall:.1f}"
        lines.append(f"| {r.network} | {r.way} | {r.seed} | {figures} | {faster} | {leave} |")
    return "\n".join(lines)


def main() -> None:
    parser = network_arguments(__doc__)
    parser.add_argument("--ways", default="", help="names of ways as the table has them, separated by semicolons")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    models = {path.stem: path for path in networks(given)}
    ways = [way for way in given.ways.split(";") if way]
    reported(rows(ways, models, given.data, given.seed), markdown, given.json)


if __name__ == "__main__":
    main()
