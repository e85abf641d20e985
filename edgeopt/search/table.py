"""What every choice of every layer takes and loses, for a joint search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from edgeopt.forms.form import EXACT, FLOAT, Choice, Form
from edgeopt.forms.sparse import candidates as with_zeros
from edgeopt.progress import stage
from edgeopt.search.allocate import Option, Problem
from edgeopt.search.goal import Goal, Objective
from edgeopt.search.in_time import errors_in_time
from edgeopt.search.limits import Figures, Limits
from edgeopt.search.remembered import Remembered, spelled
from edgeopt.search.space import Space
from edgeopt.search.start import choice_bytes, rough_costs
from edgeopt.search.stored import constants_bytes
from edgeopt.search.timing import Profile

OTHERS = 0.15  # the weight of what is not preferred, each by its share of the exact network: it decides where time is equal
Layers = Mapping[str, Figures]


class Table:
    """``choices`` of each layer, with their costs and errors, which are found once; and what the exact network takes."""

    def __init__(self, space: Space, known: Remembered) -> None:
        self._space, self._known = space, known
        stage("choosing how to approximate")
        errors = errors_in_time(space, known)
        stage("timing layers")
        self._profiles = _Profiles(space, known)
        self.exact = self._profiles.figures(EXACT)
        uniform = space.uniform()
        self.takes = {choice: self._taken(choice) for choice in uniform}
        self.choices = {layer: [c for c in uniform if c in space.choices(layer)] for layer in space.layers}
        self.options = {
            layer: [Option(errors[c][layer], self.takes[c][layer]) for c in found] for layer, found in self.choices.items()
        }
        self.rest = {name: self._rest(name) for name in self.exact}

    def problem(self, limits: Limits, prefer: Objective, free: bool = False) -> Problem:
        """What to solve to make ``prefer`` small within ``limits``; layers that must have a form stay exact only where all are

        ``free`` to.
        """
        options = {n: found if free else self._as_asked(n, found) for n, found in self.options.items()}
        counted = {prefer: 1.0, **{name: OTHERS for name in self.exact if name != prefer}}
        weights = {name: weight / (self.exact[name] or 1.0) for name, weight in counted.items()}
        return Problem(options, self.rest, limits, weights)

    def _as_asked(self, layer: str, found: list[Option]) -> list[Option]:
        exact = self.choices[layer].index(EXACT) if layer in self._space.pinned and len(found) > 1 else -1
        return [replace(option, error=inf) if k == exact else option for k, option in enumerate(found)]

    def _rest(self, name: Objective) -> float:
        """What all else takes than the layers, which is nothing of RAM: that is looked at in the finished network.

        Of times the least of all choices, since whoever else uses the machine only adds to them.
        """
        if name == "memory":
            return 0.0
        if name == "size":
            return max(0.0, self.exact[name] - sum(layer[name] for layer in self.takes[EXACT].values()))
        known = self._profiles
        rests = [known.figures(c)[name] - sum(layer[name] for layer in known.layers(c).values()) for c in known.timed]
        return max(0.0, min(rests))

    def _taken(self, choice: Choice) -> Layers:
        """What each layer takes in ``choice``, where it can have that."""
        layers = self._profiles.layers(choice)
        stored = self._stored(choice)
        return {layer: {**layers[layer], "size": stored[layer]} for layer in stored}

    def _stored(self, choice: Choice) -> Mapping[str, float]:
        space = self._space
        if space.goal.target.bare:  # run from flash as kernels read them
            sizes = self._profiles.stored(choice)
            return {n: sizes[n] for n in space.layers if choice in space.choices(n)}
        found = self._known.recall("bytes", spelled(choice))
        if found is None:
            found = choice_bytes(space, choice)
            self._known.keep(found, "bytes", spelled(choice))
        return dict(found)


class _Profiles:
    """Time, RAM and energy of uniform choices; what storage does to integers costs none of them."""

    def __init__(self, space: Space, known: Remembered) -> None:
        self._space, self._energy = space, needs_energy(space.goal)
        self._blocks: dict[str, bool] = {}  # whether some layer's zeros lie in blocks, by the form that makes them
        self._first = {form for choice in space.first().values() for form in choice}
        self.timed = list(dict.fromkeys(self._timed(choice) for choice in space.uniform()))
        key = ("costs", *sorted(map(spelled, self.timed)))
        found = known.recall(*key)
        self._costs: dict[str, dict[str, dict[str, float]]] = self._measured(self.timed) if found is None else found
        if found is None:
            known.keep(self._costs, *key)

    def figures(self, choice: Choice) -> dict[Objective, float]:
        """Of the whole network in ``choice``."""
        return {**_figures(self._costs[spelled(self._timed(choice))][""], self._energy), "size": self._size()}

    def layers(self, choice: Choice) -> dict[str, dict[Objective, float]]:
        """Of each layer."""
        found = self._costs[spelled(self._timed(choice))]
        return {n: _figures(found[n], self._energy) for n in self._space.layers}

    def stored(self, choice: Choice) -> dict[str, float]:
        """Bytes of each layer's constants in memory."""
        return {n: self._costs[spelled(self._timed(choice))][n]["stored"] for n in self._space.layers}

    def _size(self) -> float:
        if self._space.goal.target.bare:
            return self._costs[spelled(EXACT)][""]["stored"]
        return float(constants_bytes(self._space.graph))

    def _timed(self, choice: Choice) -> Choice:
        """The part of ``choice`` that decides time: no zeros that no kernel skips, and storage only where values stay float.

        Kernels look those up in tables.

        Zeros count beside the first form of values alone: each combination takes a compilation, and others gain less by them.
        Where time decides nothing, no zeros do.
        """
        axes = {session.technique.name: session.technique.axis for session in self._space.sessions}
        kept = frozenset(form for form in choice if axes[form.technique] != "storage")
        masks = frozenset(form for form in kept if axes[form.technique] == "mask")
        values, stored = kept - masks, choice - kept
        if stored and not values and needs_time(self._space.goal):
            return frozenset(map(self._alike, stored))
        first = values <= self._first if "values" in axes.values() else True
        counts = masks and first and (values or "values" not in axes.values()) and needs_time(self._space.goal)
        return values | (frozenset(form for form in masks if self._skipped(form.key, masks)) if counts else frozenset())

    def _alike(self, form: Form) -> Form:
        """The first form of the same kind, which runs by the same kernels: "codebook-3" for "codebook-4"."""
        forms = sorted({other for choice in self._space.uniform() for other in choice if other.technique == form.technique})
        return next(other for other in forms if _kind(other) == _kind(form))

    def _skipped(self, key: str, choice: Choice) -> bool:
        """Whether some layer's zeros lie in blocks."""
        space = self._space
        if key not in self._blocks:
            graph = space.carried_out(space.rough(space.all_in(choice)))
            self._blocks[key] = any(with_zeros(graph).values())
        return self._blocks[key]

    def _measured(self, choices: Sequence[Choice]) -> dict[str, dict[str, dict[str, float]]]:
        space = self._space
        asked = {spelled(choice): space.all_in(choice) for choice in choices if choice}
        found = rough_costs(space, asked)
        joule = rough_costs(space, asked, energy=True) if self._energy else {}
        return {key if key != FLOAT else spelled(EXACT): self._row(p, joule.get(key)) for key, p in found.items()}

    def _row(self, profile: Profile, energy: Profile | None) -> dict[str, dict[str, float]]:
        rows = {"": _row(profile.seconds, profile.ram, profile.weights, 0.0 if energy is None else energy.joule)}
        for layer in self._space.layers:
            parts = [(share, profile.layer(n), (energy or profile).layer(n)) for n, share in self._space.shares(layer).items()]
            each = [(s, _row(cost.seconds, cost.ram, cost.stored, joule.joule)) for s, cost, joule in parts]
            rows[layer] = {name: sum(share * row[name] for share, row in each) for name in rows[""]}
        return rows


def _kind(form: Form) -> str:
    return form.key.partition("-")[0]


def _row(seconds: float, ram: float, stored: float, joule: float) -> dict[str, float]:
    return {"latency": seconds, "memory": float(ram), "stored": float(stored), "energy": joule}


def _figures(row: Mapping[str, float], energy: bool) -> dict[Objective, float]:
    made: dict[Objective, float] = {"latency": row["latency"], "memory": row["memory"]}
    return {**made, "energy": row["energy"]} if energy else made


def needs_time(goal: Goal) -> bool:
    """Whether time, or energy, decides anything."""
    bounds = {} if goal.limits is None else goal.limits.given
    return goal.objective in ("latency", "energy") or bool({"latency", "energy"} & set(bounds))


def needs_energy(goal: Goal) -> bool:
    """Whether energy has to be estimated."""
    return goal.objective == "energy" or (goal.limits is not None and goal.limits.energy is not None)
