"""Exits of a network: fitted on one set of samples, their threshold chosen on a second, and reported on a third."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import ONE_SIDED
from edgeopt.evaluate.metrics import decisions
from edgeopt.forms.exit.carried_out import Exit
from edgeopt.forms.exit.confidence import KINDS
from edgeopt.forms.exit.head import Head, fit, fit_deeper, grids, held_out
from edgeopt.forms.exit.points import Point, gives_probabilities, hindrance, places
from edgeopt.forms.exit.seen import Answers, Seen, seen
from edgeopt.forms.exit.shared import refuse_shared
from edgeopt.forms.exit.threshold import Goal, Operating, chosen, curve, operating
from edgeopt.forms.form import Unsuited
from edgeopt.ir import Array, Graph
from edgeopt.ir.match import shape_of
from edgeopt.ops.exit_features import Features

MARGIN = "margin"  # of KINDS; one is asked for, since the best of several would fit the samples that choose
EARLIER = (0.25, 0.5)  # weights of what the exit before said that are tried
CLEARLY = 0.01  # share by which anything but the simplest must be better on the samples that choose it, where ties are many
DEEPER = 0.1  # the same for a head with a layer in front: of samples that a network was trained on, 5 % were nothing on others
HALF = 0.5  # of the work; behind it such heads fit what only the samples have that the network was trained on
KNOWN = 2.0  # percentage points by which a network is better on samples that it was trained on
FEWEST = 30  # samples


@dataclass(frozen=True, eq=False)
class Exits:
    """What was decided. ``chosen`` and ``curve`` are of the samples of the threshold, ``reported`` of others.

    ``before`` is the network's accuracy (or 100, where its own decisions count) on the latter, the samples ``reporting``;
    ``depths`` are those of exits and the end; ``confidence`` names how sure a head is.
    """

    exits: tuple[Exit, ...]
    points: tuple[Point, ...]
    heads: tuple[Head, ...]
    depths: tuple[float, ...]
    chosen: Operating
    reported: Operating
    curve: tuple[Operating, ...]
    before: float
    confidence: str
    reporting: Array


@dataclass(frozen=True)
class Option:
    """Numbers of heads to leave at, the kind of confidence, the weight of what the exit before said, and what happens on the

    samples that choose.
    """

    exits: tuple[int, ...]
    confidence: str
    earlier: float
    point: Operating


@dataclass(eq=False)
class Candidates:
    """``heads`` at ``points`` of the optimised ``graph``, fitted on ``calibration``, and what they say of ``data``.

    ``places`` lists the numbers of the heads at each place, the plain one first; ``points`` says for each where it stands.
    Labels are fitted, or else the network's own decisions. Exits that are ``hierarchical`` may hear what the one before them
    said, which must lie in the same program then. Losses count from the ``reference`` [samples, classes] of ``data``, what the
    network said before it was approximated, where that is given. Raises Unsuited for a network without a place to leave it, for
    too few samples, for those of a single class, for ``data`` that are among the ``calibration``, and when the network is clearly
    better on ``data`` than on ``calibration``: it was trained on them then, and is surer of them than of what it will see.
    """

    graph: Graph
    calibration: DataSet
    data: DataSet
    seed: int = 0
    confidence: str = MARGIN
    hierarchical: bool = False
    reference: Array | None = None
    points: list[Point] = field(init=False)
    heads: list[Head] = field(init=False)
    places: list[list[int]] = field(init=False)
    answers: Answers = field(init=False)
    held: Answers = field(init=False)

    def __post_init__(self) -> None:
        found = places(self.graph)
        self._refuse_unsuited(found)
        shapes = [shape_of(point.value) or () for point in found]
        first, second = seen(self.graph, found, [grids(shape) for shape in shapes], (self.calibration, self.data))
        for part, name in ((first, "--calibration"), (second, "--data")):
            part.refuse_unsuited(name, [point.value.name for point in found])
        self._refuse_known(first, second)
        self.points, self.heads, self.places, logits = [], [], [], []
        for place, (point, shape) in enumerate(zip(found, shapes, strict=True)):
            made = self._fitted(point, shape, first.features[place], first)
            self.places.append(list(range(len(self.heads), len(self.heads) + len(made))))
            self.points += [point] * len(made)
            self.heads += made
            logits += [head.logits(second.features[place]) for head in made]
        self.answers = self._answers(logits, second)
        held = held_out(len(first.targets), self.seed)
        self.held = Answers([head.held for head in self.heads], first.targets[held], first.right[held])

    def _fitted(self, point: Point, shape: Sequence[int], known: Mapping[Features, Array], first: Seen) -> list[Head]:
        """The heads at one place; those with a layer in front only where most of the work lies behind it."""
        given = (known, first.targets, first.final.shape[1], shape, self.seed)
        plain = fit(*given)
        return [plain, *(fit_deeper(plain, *given) if point.depth < HALF else [])]

    def _refuse_unsuited(self, found: Sequence[Point]) -> None:
        if not found:
            raise Unsuited(hindrance(self.graph))
        if sum(size > 1 for size in shape_of(self.graph.outputs[0]) or ()) != 1:
            raise Unsuited("what the network gives for a sample is not one decision among classes")
        if len(self.data) < 2 * FEWEST or len(self.calibration) < FEWEST:
            given = f"{len(self.calibration)} samples for heads and {len(self.data)} for a threshold"
            raise Unsuited(f"{given} are too few; give {FEWEST} for --calibration and {2 * FEWEST} for --data")
        refuse_shared(self.calibration, self.data)

    def _answers(self, logits: list[Array], second: Seen) -> Answers:
        if self.reference is None:
            return Answers(logits, second.targets, second.right)
        said = decisions(self.reference)
        targets = said if self.data.labels is None else second.targets
        return Answers(logits, targets, second.final.argmax(axis=1) == targets, said == targets)

    def _refuse_known(self, first: Seen, second: Seen) -> None:
        labelled = self.calibration.labels is not None and self.data.labels is not None
        gap = better(second.right, first.right) if labelled else 0.0
        if gap > 0:
            raise Unsuited(
                f"the network is right on {gap:.1f} percentage points more of --data than of --calibration: "
                "it was trained on them, and a threshold chosen there would promise too much; give samples that it has not seen"
            )

    def halves(self, seed: int) -> tuple[Array, Array]:
        """Samples of ``data`` that choose, and others that report."""
        return halves(len(self.answers.end), seed)

    def decide(self, goal: Goal, seed: int = 0, sets: Iterable[tuple[int, ...]] | None = None) -> Exits | None:
        """The exits and threshold with the fewest operations (or the least loss) within ``goal`` on one half of the

        samples, reported on the other. None where no exit saves anything. ``sets`` as for ``options``.
        """
        found = self.options(goal, seed, sets)
        best = min(found, key=lambda option: (_spent(goal, option.point), len(option.exits)), default=None)
        return None if best is None else self.described(best, seed)

    def described(self, option: Option, seed: int = 0) -> Exits:
        """What ``option`` is and does."""
        (choosing, reporting), some, kind, point = self.halves(seed), option.exits, option.confidence, option.point
        earlier = option.earlier
        depths = self.depths(some)
        line = tuple(curve(*self.answers.of(kind, some, choosing, earlier), depths))
        reported = operating(*self.answers.of(kind, some, reporting, earlier), depths, point.threshold)
        exits = tuple(self._exit(i, number, option) for number, i in enumerate(some))
        kept, heads = tuple(self.points[i] for i in some), tuple(self.heads[i] for i in some)
        before = 100 * float(self.answers.base[reporting].mean())
        return Exits(exits, kept, heads, tuple(depths), point, reported, line, before, kind, reporting)

    def options(self, goal: Goal, seed: int = 0, sets: Iterable[tuple[int, ...]] | None = None) -> list[Option]:
        """Each set of exits that saves something within ``goal``.

        ``sets`` of numbers of places are those to try, all from each place on by default.
        """
        samples, found, kind = self.halves(seed)[0], [], self.confidence
        heads = self._best(goal)
        earlier = self._earlier(goal, heads)
        for some in _sets(len(heads)) if sets is None else sets:
            exits = tuple(heads[place] for place in some)
            point = self._chosen(goal, self.answers, exits, samples, earlier)
            found += [Option(exits, kind, earlier, point)] if point.macs < 1.0 else []
        return found

    def _best(self, goal: Goal) -> list[int]:
        """At each place the head that saves most as the only exit, where heads were tried, not where thresholds are chosen.

        It is the plain one, unless another saves clearly more.
        """
        samples = np.arange(len(self.held.end))

        def spent(head: int) -> float:
            return _spent(goal, self._chosen(goal, self.held, (head,), samples, 0.0))

        found = []
        for plain, *others in self.places:
            cost = {head: spent(head) for head in (plain, *others)} if others else {plain: 0.0}
            best = min(cost, key=lambda head: cost[head])
            found.append(best if cost[best] < cost[plain] - DEEPER * abs(cost[plain]) else plain)
        return found

    def _chosen(self, goal: Goal, answers: Answers, exits: tuple[int, ...], samples: Array, earlier: float) -> Operating:
        return chosen(curve(*answers.of(self.confidence, exits, samples, earlier), self.depths(exits)), goal)

    def _earlier(self, goal: Goal, heads: Sequence[int]) -> float:
        """The weight of what the exit before said: the one that saves most where heads were tried, not where thresholds are."""
        every, samples = tuple(heads), np.arange(len(self.held.end))

        def spent(earlier: float) -> float:
            point = self._chosen(goal, self.held, every, samples, earlier)
            return point.macs if goal.macs is None else point.loss

        plain, best = spent(0.0), min((spent(w), w) for w in EARLIER) if self.hierarchical else (np.inf, 0.0)
        return best[1] if best[0] < plain - CLEARLY * abs(plain) else 0.0

    def always(self, number: int, seed: int = 0) -> Option:
        """Everything leaves at one point: the network is cut short there."""
        samples, some, kind = self.halves(seed)[0], (number,), next(iter(KINDS))
        return Option(some, kind, 0.0, operating(*self.answers.of(kind, some, samples), self.depths(some), 0.0))

    def depths(self, some: Sequence[int]) -> list[float]:
        """The share of the network's operations that is done at each exit and at its end, heads included."""
        spent = np.cumsum([self.heads[i].work / self.points[i].macs for i in some])
        return [*(float(self.points[i].depth + s) for i, s in zip(some, spent, strict=True)), 1.0 + float(spent[-1])]

    def _exit(self, index: int, number: int, option: Option) -> Exit:
        end, head, name = self.graph.outputs[0], self.heads[index], self.points[index].value.name
        threshold, earlier = option.point.threshold, option.earlier if number else 0.0
        shape = shape_of(end) or ()
        return Exit(
            name,
            number,
            head.features,
            head.weight,
            head.bias,
            threshold,
            gives_probabilities(end),
            option.confidence,
            earlier,
            shape if len(shape) > 2 else (),
        )


def fit_exits(
    graph: Graph, calibration: DataSet, data: DataSet, goal: Goal, seed: int = 0, confidence: str = MARGIN
) -> Exits | None:
    """Exits of ``graph`` within ``goal``, hierarchical where that pays; raises EdgeoptError as Candidates do."""
    return Candidates(graph, calibration, data, seed, confidence, hierarchical=True).decide(goal, seed)


def halves(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Which of ``count`` samples choose, and which report."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[::2]), np.sort(order[1::2])


def better(known: Array, new: Array) -> float:
    """By how many points more of ``known`` than of ``new`` is True; 0 within what chance explains."""
    gap = 100 * float(known.mean() - new.mean())
    error = 100 * float(np.sqrt(known.var() / len(known) + new.var() / len(new)))
    return gap if gap > max(KNOWN, ONE_SIDED * error) else 0.0


def _spent(goal: Goal, point: Operating) -> float:
    """What is to be small: operations within a loss, the bound of the loss within a cost."""
    return point.macs if goal.macs is None else point.bound


def _sets(count: int) -> Iterator[tuple[int, ...]]:
    """All places from some one on: few sets, since the best of many would fit the samples that choose."""
    return (tuple(range(first, count)) for first in range(count))
