"""A network's Pareto front against what other tools make of it: accuracy, time and bytes in one picture.

    python -m benchmarks.front MODEL.onnx --data DIR --output DIR [--minutes 30] [--workers 2] [--points 24]
        [--front FRONT.json] [--seed 0]

DIR of ``--data`` holds NAME.cal.npz and NAME.eval.npz. Half of the latter, drawn by the seed, is what ``edgeopt explore`` may
look at; all networks are judged on the other half. The peers (``benchmarks.front_peers``) calibrate on the same samples. Times
are interleaved minima on one thread; bytes are those of the peers' ONNX files, and of our code and weights as stored. For each
peer the point that answers it is the most accurate of those that beat it in all three figures on the samples that were seen; it
dominates the peer where it does so on the other samples, too. ``--front`` takes a front that is there. Writes compared.json and
compared.html.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import edgeopt
from benchmarks.front_peers import Network, peers, seconds
from benchmarks.joint import decided, halves
from edgeopt.evaluate.data import DataSet, read
from edgeopt.explore.choice import recipe_text
from edgeopt.explore.front_file import Front, read_front
from edgeopt.explore.point import Point, front
from edgeopt.files import replacing
from edgeopt.frontend import load
from edgeopt.report.front import front_page
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.object_code import stored_code


@dataclass(frozen=True)
class Compared:
    """A network: ``seen`` and ``unseen`` are accuracies in percent on the samples that the search saw and on the others;

    bytes are as stored, seconds those of an inference. ``point`` is its place in the front, ``answer`` the place of the point
    that answers a peer, and ``dominated`` whether it dominates it.
    """

    name: str
    seen: float
    unseen: float
    seconds: float
    bytes: int
    point: int | None = None
    answer: int | None = None
    dominated: bool | None = None

    def beats(self, other: Compared, accuracy: str) -> bool:
        """At least as accurate, fast and small, and better in one of these."""
        mine, theirs = ((-float(getattr(c, accuracy)), c.seconds, c.bytes) for c in (self, other))
        return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def explored(model: Path, given: argparse.Namespace, seen: DataSet, calibration: Path) -> Front:
    """The front that is named, or that is found in the time given, which is written to front.json."""
    data = given.output / "seen.npz"
    np.savez(data, **seen.arrays, labels=seen.labels)
    if given.front is not None:
        return read_front(given.front)
    begun = time.monotonic()
    limits = {"trials": 100_000, "seconds": 60 * given.minutes, "workers": given.workers, "seed": given.seed}
    found = edgeopt.explore(model, data, calibration, journal=given.output / "front.journal", **limits)
    (given.output / "front.json").write_text(found.text())
    print(f"{found.trials} trials, {len(found.points)} points on the front, {(time.monotonic() - begun) / 60:.1f} minutes")
    return found


def compiled(model: Path, point: Point, data: Path, calibration: Path, folder: Path) -> CompiledModel:
    """The network of a point; without forms the exact one."""
    if not point.forms:
        return edgeopt.compile(model, 2, options=edgeopt.Options(onnx=False))
    recipe = folder / "point.toml"
    recipe.write_text(recipe_text(point, "a point of a front"))
    return edgeopt.compress(model, recipe, data=data, calibration=calibration, max_drop=100.0, level=3, onnx=False)


def network(name: str, made: CompiledModel) -> Network:
    """A compiled model as what is compared."""
    stored = len(made.files["weights.bin"]) + stored_code(made.files)
    return Network(name, stored, lambda data: decided(made, data), lambda one: lambda: made.run(one))


def spread(points: Sequence[Point], most: int) -> list[int]:
    """The places of at most ``most`` points that no other one beats in accuracy, time and bytes, from the fastest on."""
    plain = {k: replace(point, energy=0.0, memory=0.0) for k, point in enumerate(points)}
    kept = {point.figures() for point in front(list(plain.values()))}
    able = [k for k, point in plain.items() if point.figures() in kept]
    return [able[round(k)] for k in np.linspace(0, len(able) - 1, min(most, len(able)))]


def compare(networks: Sequence[Network], places: Sequence[int | None], seen: DataSet, unseen: DataSet) -> list[Compared]:
    """All networks on the same samples, timed in turns."""
    times = seconds(networks, unseen.take(slice(0, 1)).arrays)
    rows = []
    for which, at, took in zip(networks, places, times, strict=True):
        right = [100 * float(np.mean(which.decide(part) == part.labels)) for part in (seen, unseen)]
        rows.append(Compared(which.name, right[0], right[1], took, which.bytes, at))
    return rows


def judged(rows: Sequence[Compared]) -> list[Compared]:
    """Peers with the point that answers them."""
    ours = [row for row in rows if row.point is not None]

    def judge(peer: Compared) -> Compared:
        able = [row for row in ours if row.beats(peer, "seen")]
        if not able:
            return replace(peer, dominated=False)
        best = max(able, key=lambda row: (row.seen, -row.seconds))
        return replace(peer, answer=best.point, dominated=best.beats(peer, "unseen"))

    return [row if row.point is not None else judge(row) for row in rows]


def page(found: Front, rows: Sequence[Compared]) -> str:
    """The picture, by the accuracy on samples that were not seen."""
    points, others = [], []
    for row in rows:
        figures = {"accuracy": row.unseen, "latency": row.seconds, "size": row.bytes}
        if row.point is None:
            others.append({**figures, "name": row.name})
        else:
            points.append({**found.points[row.point].record(), **figures, "unseen": row.unseen})
    same = next((row.unseen for row in rows if row.name.startswith("float32")), found.exact.accuracy)
    exact = {**found.exact.record(), "accuracy": same}  # on the samples that all others are drawn by
    record = {"model": Path(found.model).stem, "target": found.target, "trials": found.trials, "exact": exact}
    return front_page({**record, "points": points}, others)


def markdown(rows: Sequence[Compared]) -> str:
    """A table: peers with the points that answer them."""
    lines = ["| network | seen % | unseen % | ms | kB | dominated |", "|---|---|---|---|---|---|"]
    for r in rows:
        said = "" if r.dominated is None else (f"by {r.answer}" if r.dominated else f"no ({r.answer} on seen samples)")
        lines.append(f"| {r.name} | {r.seen:.1f} | {r.unseen:.1f} | {1e3 * r.seconds:.3f} | {r.bytes / 1e3:.1f} | {said} |")
    return "\n".join(lines)


def main() -> None:
    """Explore, compile the points, make the peers, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--points", type=int, default=24, help="points of the front that are compiled, spread over it")
    parser.add_argument("--front", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    graph = load(given.model)
    cal, data = (given.data / f"{given.model.stem}.{part}.npz" for part in ("cal", "eval"))
    seen, unseen = halves(read(data, graph), given.seed)
    found = explored(given.model, given, seen, cal)
    places = spread(found.points, given.points)
    where = (given.output / "seen.npz", cal, given.output)
    ours = [network(f"point {k}", compiled(given.model, found.points[k], *where)) for k in places]
    theirs, left = peers(given.model, read(cal, graph), given.output)
    rows = judged(compare([*ours, *theirs], [*places, *[None] * len(theirs)], seen, unseen))
    record = {"networks": [asdict(row) for row in rows], "left": left}
    (given.output / "compared.json").write_text(json.dumps(record, indent=1) + "\n")
    with replacing(given.output / "compared.html") as stream:
        stream.write(page(found, rows).encode())
    print(markdown(rows))
    for name, reason in left.items():
        print(f"left out: {name}: {reason}")


if __name__ == "__main__":
    main()
