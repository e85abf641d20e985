"""Results of whole networks on the evaluation data, by the code that is compiled for them."""

from __future__ import annotations

import warnings
from math import inf, isnan
from typing import Any

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.intervals import FIRST, drop_bound, drop_interval, unlikely_after
from edgeopt.evaluate.judge import by_samples, judged, outputs
from edgeopt.forms.form import Choice, Forms
from edgeopt.ir import Array, Graph
from edgeopt.ir.match import shape_of
from edgeopt.progress import news, onward
from edgeopt.search.elsewhere import UNKNOWN, Changes
from edgeopt.search.remembered import Remembered, packed, spelled_forms
from edgeopt.search.space import Space, merged, names_of
from edgeopt.search.timing import profiles
from edgeopt.target import Target, host

SIMULATED = 64  # samples


class Trials:
    """What is lost with some forms, against the ``reference`` results of the exact network.

    What is measured is kept among what the search has ``remembered``, if anything. ``elsewhere`` tells how many decisions a
    network turns wrong, and right, on other samples, and of how many. With ``arenas`` each network's RAM is found while it is
    there.
    """

    arenas = False

    def __init__(
        self,
        space: Space,
        data: DataSet,
        reference: Array,
        remembered: Remembered | None = None,
        elsewhere: Changes = lambda changed: UNKNOWN,
    ) -> None:
        self.space, self.data, self.reference, self._remembered = space, data, reference, remembered
        self._elsewhere = elsewhere
        single = reference[0].size == 1
        self.metric = "accuracy" if data.labels is not None else "same value" if single else "same decision"
        self.before = self._metric(self.reference)
        self._known: dict[frozenset[tuple[str, Choice]], tuple[float, float]] = {}
        self._decided: dict[frozenset[tuple[str, Choice]], Array] = {}
        self._others: dict[frozenset[tuple[str, Choice]], tuple[int, int, int]] = {}  # decisions that change elsewhere
        self._planned: dict[frozenset[tuple[str, Choice]], int] = {}
        self._looks: dict[frozenset[tuple[str, Choice]], int] = {}  # how many were refused before by their bounds
        self._refused: set[frozenset[tuple[str, Choice]]] = set()

    @property
    def about(self) -> str:
        """A digest of what all results depend on; "" where nothing is remembered."""
        return "" if self._remembered is None else self._remembered.about

    def result(self, forms: Forms) -> tuple[float, float]:
        """(metric, percentage of decisions equal to the exact ones) with these ``forms``."""
        key = names_of(forms)
        if key not in self._known:
            found = self._recalled("trial", forms) or self._measured(forms)
            self._known[key], self._decided[key] = (found[0], found[1]), np.array(found[2], np.int64)
            self._others[key] = found[3], found[4], found[5]
        return self._known[key]

    def measured(self) -> list[tuple[Forms, float]]:
        """The forms whose results are known, with the metric."""
        return [(dict(key), found[0]) for key, found in self._known.items()]

    def known(self, forms: Forms) -> bool:
        """Whether this network was tried, by this search or by one that it goes on from."""
        return names_of(forms) in self._known or self._recalled("trial", forms) is not None

    def _measured(self, forms: Forms) -> tuple[float, float, list[int], int, int, int]:
        goal = self.space.goal
        news(f"network {len(self._known) + 1}")
        changed = self.space.carried_out(self.space.solve(forms))
        made = compiled_outputs(changed, self.data, goal.target, goal.level)
        decided, others = packed(metrics.decisions(made)), self._elsewhere(changed)
        found = self._metric(made), metrics.agreement(made, self.reference), decided, *others
        self._keep(found, "trial", forms)
        if self.arenas:
            self._plan(changed, forms)
        onward()
        return found

    def arena(self, forms: Forms) -> int:
        """Bytes of the activations of the whole network, as the target lays them out; largest layers would be less."""
        key = names_of(forms)
        if key not in self._planned:
            known = self._recalled("arena", forms)
            if known is None:
                self._plan(self.space.carried_out(self.space.solve(forms)), forms)
            else:
                self._planned[key] = known
        return self._planned[key]

    def _plan(self, graph: Graph, forms: Forms) -> None:
        goal = self.space.goal
        found = profiles({"": graph}, goal.target, goal.level, energy=True)[""]  # an estimate compiles nothing
        self._planned[names_of(forms)] = found.ram
        self._keep(found.ram, "arena", forms)

    def _recalled(self, what: str, forms: Forms) -> Any:
        """What searches before this one kept of these ``forms``; None where that is nothing."""
        return None if self._remembered is None else self._remembered.recall(what, spelled_forms(forms))

    def _keep(self, value: object, what: str, forms: Forms) -> None:
        if self._remembered is not None:
            self._remembered.keep(value, what, spelled_forms(forms))

    def bounded(self, forms: Forms, whenever: bool = False) -> float:
        """Percentage points that are lost of as many samples that were not seen, by a one-sided bound.

        It grows with the networks that were within the budget by what is seen, and refused by their bounds. Infinite for forms
        that are not known when the time is over, unless they may be tried ``whenever``; nothing where all layers are exact.
        """
        if not any(forms.values()):
            return 0.0
        if self.space.goal.late and not whenever and not self.known(forms):
            return inf
        drop = self.before - self.result(forms)[0]
        if isnan(drop) or drop > self.space.goal.max_drop:
            return inf if isnan(drop) else drop
        if self.reference[0].size == 1:
            return drop
        found = self._bound(forms, self._look(forms))
        if found > self.space.goal.max_drop and self._looks[names_of(forms)] != FIRST:
            self._refused.add(names_of(forms))
        return found

    def doubtful(self, forms: Forms) -> bool:
        """Whether these ``forms`` would be refused, were they looked at now: none that changes more decisions will do."""
        if not any(forms.values()) or self.reference[0].size == 1:
            return False
        self.result(forms)
        return self._bound(forms, len(self._refused)) > self.space.goal.max_drop

    def _bound(self, forms: Forms, refused: int) -> float:
        """The bound of a network that is looked at after so many were refused."""
        return drop_bound(*self._right(forms), unlikely_after(refused), self._others[names_of(forms)])

    def _look(self, forms: Forms) -> int:
        """How many networks but the first were refused when it was first looked at, if by a search with other bounds.

        So what that one said of bounds that can be kept holds for a search that is asked to keep these.
        """
        key = names_of(forms)
        if key not in self._looks:
            known = self._recalled("refused", forms)
            self._looks[key] = (len(self._refused) if self._looks else FIRST) if known is None else known
            self._keep(self._looks[key], "refused", forms)
        return self._looks[key]

    def _right(self, forms: Forms) -> tuple[Array, Array]:
        """Which decisions are right of the exact network, and with these forms."""
        decided, exact = self._decided[names_of(forms)], metrics.decisions(self.reference)
        right = exact if self.data.labels is None else self.data.labels
        return exact == right, decided == right

    def reach(self, forms: Forms) -> float | None:
        """Percentage points that may be lost with these ``forms``, by the interval of 95 %; None without decisions.

        It holds for all networks together that were found within the budget, of which these are one that was picked.
        """
        if self.reference[0].size == 1:
            return None
        self.result(forms)
        within = sum(self.before - found[0] <= self.space.goal.max_drop for found in self._known.values())
        return drop_interval(*self._right(forms), max(1, within))[1]

    def drop(self, forms: Forms) -> float:
        """Percentage points lost; on few samples, where the code takes longer to compile than a run in float, as ``screened``."""
        return self.screened(forms) if self.data.samples <= SIMULATED else self.before - self.result(forms)[0]

    def screened(self, forms: Forms) -> float:
        """Percentage points lost, or what a run in float that changes the same values loses where that is more than the budget.

        Such a run may reject, never accept.
        """
        if names_of(forms) not in self._known:
            lost = self.simulated(forms)
            if lost > self.space.goal.max_drop:
                return lost
        return self.before - self.result(forms)[0]

    def simulated(self, forms: Forms, alone: bool = False) -> float:
        """Percentage points lost by a run in float that changes the same values: quick, and exact for other weights in float."""
        solved = self.space.alone(forms) if alone else self.space.solve(forms)
        return self.before - self._metric(outputs(self.space.graph, self.data, merged(solved)))

    def _metric(self, actual: Array) -> float:
        if self.data.labels is not None:
            return metrics.accuracy(actual, self.data.labels)
        return metrics.agreement(actual, self.reference)


def compiled_outputs(graph: Graph, data: DataSet, target: Target, level: int, output: str = "") -> Array:
    """The judged output of ``graph``, or the one called ``output``, on all calls of ``data``, by the kernels of ``level``.

    The code is that for ``target`` where it runs here, else that for this machine: integer results are the same bits on every
    target, so what is measured here holds on the board.
    """
    model, name = assemble(graph, target if target.runs_here else host(), level), output or judged(graph, data)
    data = fitted(data, graph)
    parts = [data] if _by_batches(graph) else [data.take(slice(i, i + 1)) for i in range(len(data))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nodes without a kernel: the compilation of what is chosen will warn
        results = [np.atleast_1d(model.run(_feeds(graph, part))[name]) for part in parts]
    return by_samples(np.concatenate(results), data)


def _by_batches(graph: Graph) -> bool:
    """True when one run takes many calls: inputs and outputs agree in their leading axis."""
    shapes = [shape_of(v) for v in [*graph.inputs, *graph.outputs]]
    return all(shapes) and len({s[0] for s in shapes if s}) == 1


def _feeds(graph: Graph, data: DataSet) -> dict[str, Array]:
    arrays = {v.name: data.arrays[v.name] for v in graph.inputs}
    return {v.name: arrays[v.name].reshape(()) if shape_of(v) == () else arrays[v.name] for v in graph.inputs}
