"""The choices of every layer in one search: what its techniques offer, alone and together, and what they solve for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Protocol, runtime_checkable

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.applied import applied
from edgeopt.forms.form import AXES, EXACT, Choice, Form, Forms, Session, Solution, named
from edgeopt.forms.registry import clash
from edgeopt.forms.sequential import Sequential
from edgeopt.forms.walk import walk
from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from edgeopt.search.goal import Goal
from edgeopt.search.pins import AS_ASKED, Allowance

Asked = tuple[Session, Mapping[str, Form]]


@runtime_checkable
class Groups(Protocol):
    """A session in which a layer stands for several that change with it."""

    def shares(self, layer: str) -> Mapping[str, float]:
        """The layers that a form of ``layer`` changes, and which share of the cost of each counts as its own."""


class Space:
    """The layers of the exact ``graph`` that ``sessions``, in the order of their axes, can change; ``allowed`` says how.

    ``refused`` are those that stay exact, with the reason; ``pinned`` have a form that was asked for, whatever it costs. Raises
    EdgeoptError for a layer that may have forms which do not go together.
    """

    def __init__(self, graph: Graph, goal: Goal, sessions: Sequence[Session], allowed: Allowance | None = None) -> None:
        self.graph, self.goal, self.sessions = graph, goal, tuple(sessions)
        self._offers = _by_axis(self.sessions, allowed)
        _require_compatible(self._offers)
        self._choices: dict[str, list[Choice]] = {}
        self.costs: dict[Choice, dict[str, float]] = {}  # of each layer in each choice, once they are known
        offered = {layer for offers in self._offers for layer in offers}
        self.layers = [node.name for node in graph.nodes if node.name in offered]
        self.refused = {layer: why for session in sessions for layer, why in session.refusals().items() if layer not in offered}
        self.pinned = {layer for layer in self.layers if allowed is not None and allowed.is_pinned(layer)}
        asked = [n for s in sessions for n in s.offers() if allowed is not None and allowed.is_float(n)]
        self.refused |= dict.fromkeys(asked, AS_ASKED)

    @property
    def inputs(self) -> DataSet:
        """What layers are judged on."""
        return self.sessions[0].inputs

    def choices(self, layer: str) -> list[Choice]:
        """Everything that the layer may become, exact first; then by the order in which techniques offer their forms.

        It takes at most one form on each axis.
        """
        if layer not in self._choices:
            ladders = [[None, *offers.get(layer, ())] for offers in self._offers]
            self._choices[layer] = [frozenset(form for form in forms if form is not None) for forms in product(*ladders)]
        return self._choices[layer]

    def shares(self, layer: str) -> Mapping[str, float]:
        """The layers whose cost a form of ``layer`` changes, each with its share where other forms change it, too."""
        group = next((session for session in self.sessions if isinstance(session, Groups)), None)
        return {layer: 1.0} if group is None else group.shares(layer)

    def first(self) -> dict[str, Choice]:
        """What the search starts with: the first form on every axis that has one, together."""
        return {n: frozenset(offers[n][0] for offers in self._offers if offers.get(n)) for n in self.layers}

    def rank(self, layer: str, choices: Sequence[Choice]) -> None:
        """Keep only ``choices`` of one form for the layer, in this order."""
        kept = [form for choice in choices for form in choice]
        self._choices.pop(layer, None)
        for offers in self._offers:
            if layer in offers:
                offers[layer] = sorted((f for f in offers[layer] if f in kept), key=kept.index)

    @property
    def wanted(self) -> str:
        """What is tried, in words: the first form, or the names of techniques of which each layer takes one."""
        if self.restructures:
            return " or ".join(session.technique.name for session in self.sessions)
        return named(next(iter(self.first().values()), EXACT))

    @property
    def restructures(self) -> bool:
        """True when layers are replaced by others: then they are only where that pays."""
        return any(session.technique.axis == "structure" for session in self.sessions)

    def uniform(self) -> list[Choice]:
        """Every choice that some layer has, exact first."""
        return list(dict.fromkeys([EXACT, *(c for layer in self.layers for c in self.choices(layer))]))

    def all_in(self, choice: Choice) -> dict[str, Choice]:
        """Every layer in ``choice`` where it has that, else exact."""
        return {n: choice if choice in self.choices(n) else EXACT for n in self.layers}

    def solve(self, forms: Forms) -> list[tuple[Session, Solution]]:
        """What each technique makes of its layers, given what those before it do; neighbours that can walk together do."""
        solved: list[tuple[Session, Solution]] = []
        for part in _walks(self._asked(forms)):
            walkers = [(session, mine) for session, mine in part if isinstance(session, Sequential)]
            if len(walkers) > 1:
                solved += zip([session for session, _ in walkers], walk(walkers, merged(solved)), strict=True)
            else:
                solved += [(session, session.solve(mine, merged(solved))) for session, mine in part]
        return solved

    def _asked(self, forms: Forms) -> list[Asked]:
        """The sessions that have anything to do, with the forms of their layers."""
        mine = [(session, _of(session.technique.name, forms)) for session in self.sessions]
        return [(session, of_session) for session, of_session in mine if of_session]

    def taken(self, session: Session, forms: Forms) -> set[str]:
        """The forms that layers take in ``session``."""
        return {form.key for form in _of(session.technique.name, forms).values()}

    def alone(self, forms: Forms) -> list[tuple[Session, Solution]]:
        """What layers become when each is the only one that changes, by one technique."""
        return [(session, session.alone(mine)) for session, mine in self._asked(forms)]

    def rough(self, forms: Forms) -> list[tuple[Session, Solution]]:
        """Solutions of the right sizes, for timing."""
        solved: list[tuple[Session, Solution]] = []
        for session, mine in self._asked(forms):
            solved.append((session, session.rough(mine, merged(solved))))
        return solved

    def carried_out(self, solved: Sequence[tuple[Session, Solution]]) -> Graph:
        """The graph in which the solutions are carried out, at the level that is shipped."""
        return applied(self.graph, solved, Context(level=self.goal.level))


def _walks(asked: Sequence[Asked]) -> list[list[Asked]]:
    """``asked`` in parts: neighbours that change weights layer after layer, with data, are one."""
    found: list[list[Asked]] = []
    for session, mine in asked:
        together = found and all(isinstance(s, Sequential) and s.evidence.calibration for s in (found[-1][-1][0], session))
        found = [*found[:-1], [*found[-1], (session, mine)]] if together else [*found, [(session, mine)]]
    return found


def _by_axis(sessions: Sequence[Session], allowed: Allowance | None) -> list[dict[str, list[Form]]]:
    """For each axis the forms of each layer, those of the session that comes first in front."""
    found: dict[str, dict[str, list[Form]]] = {axis: {} for axis in AXES}
    for session in sessions:
        if allowed is not None:
            allowed.require(session)
        for layer, forms in _offers(session, allowed).items():
            found[session.technique.axis].setdefault(layer, []).extend(forms)
    return [offers for offers in found.values() if offers]


def _require_compatible(axes: Sequence[Mapping[str, Sequence[Form]]]) -> None:
    for layer in {layer for offers in axes for layer in offers}:
        if reason := clash(form.technique for offers in axes for form in offers.get(layer, ())):
            raise EdgeoptError(f"layer '{layer}': {reason}; name layers of their own for each, in a recipe or by --form")


def _offers(session: Session, allowed: Allowance | None) -> Mapping[str, Sequence[Form]]:
    """What a session offers each layer, as far and in the order in which it is allowed."""
    offers, name = session.offers(), session.technique.name
    if allowed is None:
        return offers
    wanted = {layer: allowed(name, layer) for layer in offers}
    found = {layer: offers[layer] if keys is None else _among(offers[layer], name, keys) for layer, keys in wanted.items()}
    return {layer: forms for layer, forms in found.items() if forms}


def _among(offered: Sequence[Form], technique: str, keys: Sequence[str]) -> list[Form]:
    """The forms of these keys that are offered, in their order."""
    return [form for form in (Form(technique, key) for key in keys) if form in offered]


def _of(technique: str, forms: Forms) -> dict[str, Form]:
    return {layer: form for layer, choice in forms.items() for form in choice if form.technique == technique}


def merged(solved: Iterable[tuple[Session, Solution]], layers: Sequence[str] | None = None) -> Overlay:
    """What the solutions, of ``layers`` only, do together to a run of the exact graph; later axes act on earlier ones."""
    made = Overlay()
    for session, solution in solved:
        part = session.overlay(solution, layers)
        made.constants.update(part.constants)
        made.quantizers.update(part.quantizers)
        made.grids.update(part.grids)
        made.parts.update(part.parts)
    return made


def names_of(forms: Mapping[str, Choice]) -> frozenset[tuple[str, Choice]]:
    """Something to look up what is known of ``forms``."""
    return frozenset(forms.items())
