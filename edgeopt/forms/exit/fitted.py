"""Exits of a network: fitted on one set of samples, their threshold chosen on a second, and reported on a third."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.judge import judged
from edgeopt.evaluate.metrics import decisions
from edgeopt.evaluate.observe import observe
from edgeopt.forms.exit.head import Head, fit
from edgeopt.forms.exit.points import Point, points
from edgeopt.forms.exit.threshold import Operating, Z, chosen, confidences, curve, operating
from edgeopt.ir import Array, Graph
from edgeopt.passes.insert_exits import Exit, make
from edgeopt.rewrite import Context, run_pass

PASSES = ("insert_exits",)  # that carry it out
MOST_POINTS, MOST_EXITS = 6, 3
KNOWN = 2.0  # percentage points by which a network is better on samples that it was trained on
FEWEST = 30  # samples


@dataclass(frozen=True)
class Exits:
    """What was decided. ``chosen`` and ``curve`` are of the samples of the threshold, ``reported`` of others.

    ``before`` is the network's accuracy (or 100, where its own decisions count) on the latter, ``depths`` of exits and the end.
    """

    exits: tuple[Exit, ...]
    points: tuple[Point, ...]
    heads: tuple[Head, ...]
    depths: tuple[float, ...]
    chosen: Operating
    reported: Operating
    curve: tuple[Operating, ...]
    before: float


def fit_exits(graph: Graph, calibration: DataSet, data: DataSet, max_drop: float, seed: int = 0) -> Exits | None:
    """Exits of the optimised float ``graph`` whose loss is at most ``max_drop`` percentage points by a one-sided bound of 95 %.

    Heads are fitted on ``calibration``, to labels or else to the network's own decisions; half of ``data`` chooses the threshold,
    the other half reports. None where no exit saves anything within the budget. Raises EdgeoptError for a network without a place
    to leave it, for too few samples, and when the network is clearly better on ``data`` than on ``calibration``: it was trained
    on them then, and is surer of them than of what it will see.
    """
    found = _spread(points(graph))
    if not found:
        raise EdgeoptError("there is no place to leave this network early: no value of one sample carries all that follows")
    if len(data) < 2 * FEWEST or len(calibration) < FEWEST:
        raise EdgeoptError(f"{len(calibration)} and {len(data)} samples are too few for heads and a threshold; give {2 * FEWEST}")
    if (gap := known_better(graph, calibration, data)) > 0:
        raise EdgeoptError(
            f"the network is right on {gap:.1f} percentage points more of --data than of --calibration: it was trained on them, "
            "and a threshold chosen there would promise too much; give samples that it has not seen"
        )
    order = np.random.default_rng(seed).permutation(len(data))
    parts = [calibration, data.take(np.sort(order[::2])), data.take(np.sort(order[1::2]))]
    seen = [_Seen(graph, found, part) for part in parts]
    classes = seen[0].final.shape[1]
    heads = [fit(values, seen[0].targets, classes, seed) for values in seen[0].values]
    chosen_points, operating_points = _best(found, heads, seen[1], max_drop)
    if not chosen_points:
        return None
    return _described(graph, found, heads, chosen_points, operating_points, seen, max_drop)


def insert(graph: Graph, found: Exits, context: Context) -> None:
    """Put the exits into ``graph``, the one that they were fitted to."""
    run_pass(graph, make(found.exits), context)


def known_better(graph: Graph, calibration: DataSet, data: DataSet) -> float:
    """By how many points the network is better on ``data`` than on ``calibration``; 0 within what chance explains, and without

    labels on both.
    """
    if calibration.labels is None or data.labels is None:
        return 0.0
    known, new = (_Seen(graph, [], part).right() for part in (data, calibration))
    gap = 100 * float(known.mean() - new.mean())
    error = 100 * float(np.sqrt(known.var() / len(known) + new.var() / len(new)))
    return gap if gap > max(KNOWN, Z * error) else 0.0


class _Seen:
    """What a network computes of some samples: values at the points, its answers, and what is right."""

    def __init__(self, graph: Graph, found: Sequence[Point], data: DataSet) -> None:
        name = judged(graph, data)
        arrays = observe(graph, [*(p.value.name for p in found), name], fitted(data, graph))
        self.values = [arrays[p.value.name] for p in found]
        self.final = arrays[name].reshape(len(arrays[name]), -1)
        self.targets: Array = decisions(self.final) if data.labels is None else data.labels

    def right(self, head: Head | None = None, values: Array | None = None) -> Array:
        """Whether each sample is classified as it should be, by a head or by the network."""
        answers = self.final if head is None or values is None else head.logits(values)
        return np.asarray(answers.argmax(axis=1) == self.targets)


def _spread(found: Sequence[Point]) -> list[Point]:
    """At most ``MOST_POINTS`` of them, spread over the depth."""
    if len(found) <= MOST_POINTS:
        return list(found)
    wanted = np.linspace(found[0].depth, found[-1].depth, MOST_POINTS)
    nearest = {int(np.argmin([abs(p.depth - w) for p in found])) for w in wanted}
    return [found[i] for i in sorted(nearest)]


def _best(found: list[Point], heads: list[Head], seen: _Seen, max_drop: float) -> tuple[tuple[int, ...], list[Operating]]:
    """The points to use, and the curve there: fewest expected operations within the budget; none where none are saved."""
    answers = [head.logits(values) for head, values in zip(heads, seen.values, strict=True)]
    sure = [confidences(a) for a in answers]
    right = [np.asarray(a.argmax(axis=1) == seen.targets) for a in answers]
    best: tuple[float, tuple[int, ...], list[Operating]] = (1.0, (), [])
    for some in _subsets(len(found)):
        depths = _depths([found[i] for i in some], [heads[i] for i in some])
        line = curve([sure[i] for i in some], [*(right[i] for i in some), seen.right()], depths)
        best = min(best, (chosen(line, max_drop).macs, some, line), key=lambda t: (t[0], len(t[1])))
    return best[1], best[2]


def _subsets(count: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, min(MOST_EXITS, count) + 1):
        yield from combinations(range(count), size)


def _depths(found: Sequence[Point], heads: Sequence[Head]) -> list[float]:
    """The share of the network's operations that is done at each exit and at its end, heads included."""
    work = [head.weight.size / point.macs for head, point in zip(heads, found, strict=True)]
    spent = np.cumsum(work)
    return [*(float(p.depth + s) for p, s in zip(found, spent, strict=True)), 1.0 + float(spent[-1])]


def _described(
    graph: Graph,
    found: list[Point],
    heads: list[Head],
    some: tuple[int, ...],
    line: list[Operating],
    seen: list[_Seen],
    max_drop: float,
) -> Exits:
    kept, points_ = [heads[i] for i in some], [found[i] for i in some]
    point, depths, third = chosen(line, max_drop), _depths(points_, kept), seen[2]
    answers = [head.logits(third.values[i]) for head, i in zip(kept, some, strict=True)]
    right = [*(np.asarray(a.argmax(axis=1) == third.targets) for a in answers), third.right()]
    reported = operating([confidences(a) for a in answers], right, depths, point.threshold)
    ends_in_softmax = graph.outputs[0].producer is not None and graph.outputs[0].producer.is_op("Softmax")
    exits = tuple(
        Exit(p.value.name, k, h.grid, h.weight, h.bias, point.threshold, ends_in_softmax)
        for k, (p, h) in enumerate(zip(points_, kept, strict=True))
    )
    before = 100 * float(third.right().mean())
    return Exits(exits, tuple(points_), tuple(kept), tuple(depths), point, reported, tuple(line), before)
