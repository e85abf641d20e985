"""The joint decision under several bounds, with samples kept apart to judge what was chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_bound, drop_interval
from edgeopt.forms.form import Evidence, Forms, Session
from edgeopt.ir import Array, Graph
from edgeopt.progress import stage
from edgeopt.search.alike import places_of
from edgeopt.search.decide import decided
from edgeopt.search.elsewhere import elsewhere
from edgeopt.search.goal import Goal
from edgeopt.search.joint import joint
from edgeopt.search.limits import Figures, Infeasible, Limits
from edgeopt.search.pins import Allowance
from edgeopt.search.remembered import Remembered, digest, spelled
from edgeopt.search.result import Decision, Held
from edgeopt.search.space import Space
from edgeopt.search.start import Start
from edgeopt.search.table import Table, needs_energy
from edgeopt.search.trials import Trials, compiled_outputs
from edgeopt.search.unjudged import keep_gentle
from edgeopt.target import Target

PARTS = (0.5, 0.25)  # of the budget, for the searches after one that samples held out contradict
ENOUGH = 600  # calls; with fewer, all of them choose: a third of them would say little


def decide_jointly(
    graph: Graph,
    evidence: Evidence,
    evaluation: DataSet,
    goal: Goal,
    sessions: Callable[[], Sequence[Session]],
    allowed: Allowance | None,
    seed: int = 0,
) -> Decision:
    """The forms of all layers that take least of the objective, keep ``goal.limits``, and the budget on unseen samples.

    A third of ``evaluation`` is held out for the final figure where there is enough; where it says that samples that were not
    seen may lose more than the budget, another search has only a part of that. What is measured is remembered in the cache.
    Raises Infeasible, with the nearest network found, for bounds that cannot be kept.
    """
    chosen, held = apart(evaluation, seed)
    space, reference, trials, table = opened_search(graph, evidence, chosen, goal, sessions, allowed)
    search = _search(trials, goal, seed)
    stage("verifying on the samples")
    found = replace(_found(space, trials, table), reference=reference)
    found = found if held is None else _held_to(space, trials, table, found, held)
    return replace(found, search=search)


def _search(trials: Trials, goal: Goal, seed: int) -> str:
    """What a search is known by, whatever its bounds: with the same ones it finds the same."""
    return hashlib.sha256(repr((trials.about, goal.objective, goal.max_drop, seed)).encode()).hexdigest()


def _held_to(space: Space, trials: Trials, table: Table, found: Decision, held: DataSet) -> Decision:
    """``found`` with what ``held`` says of it, or what is found in a smaller budget where it says that too much may be lost."""
    goal, reference = space.goal, found.reference
    for looks, part in enumerate((*PARTS, 0.0), 1):
        known = judged(space.graph, space.carried_out(found.solved), held, goal.target, goal.level)
        found = replace(found, held=replace(known, looks=looks), max_drop=goal.max_drop, reference=reference)
        if not part * goal.max_drop or known.bound is None or known.bound <= goal.max_drop:
            break
        space.goal = replace(goal, max_drop=part * goal.max_drop)
        try:
            found = _found(space, trials, table)
        except Infeasible:  # the bounds ask for more than can be sure
            break
    return found


def _found(space: Space, trials: Trials, table: Table) -> Decision:
    """What is chosen within the budget of ``space``."""
    choice, late = joint(space, trials, table), space.goal.late
    found, forms = decided(space, Start(space.first()), choice.forms, choice.given_back)
    after, agreement = trials.result(forms)
    made = replace(found, metric=trials.metric, before=trials.before, after=after, agreement=agreement, reach=trials.reach(forms))
    tried, used = _tried(trials, table, forms), ", ".join(dict.fromkeys(found.forms[layer] for layer in found.changed))
    made = replace(made, scheme=used or found.scheme)
    return replace(made, samples=trials.data.samples, max_drop=space.goal.max_drop, tried=tried, late=late)


def opened_search(
    graph: Graph,
    evidence: Evidence,
    chosen: DataSet,
    goal: Goal,
    sessions: Callable[[], Sequence[Session]],
    allowed: Allowance | None,
) -> tuple[Space, Array, Trials, Table]:
    """What a joint search works with: all that layers may become, the exact results, trials, and what choices take and lose."""
    stage("running the float network")
    space = Space(graph, goal, sessions(), allowed)
    keep_gentle(space, chosen)
    reference = compiled_outputs(graph, chosen, goal.target, goal.level)
    check_reference(reference, chosen.labels, goal.accept_chance)
    facts, calibration = _facts(space, evidence), evidence.calibration
    prices = Remembered(digest(graph, (calibration,), facts))  # whatever samples choose
    results = Remembered(digest(graph, (calibration, chosen), facts))
    others = elsewhere(
        graph, calibration, chosen, reference, lambda made, data: compiled_outputs(made, data, goal.target, goal.level)
    )
    return space, reference, Trials(space, chosen, reference, results, others), Table(space, prices)


def _tried(trials: Trials, table: Table, chosen: Forms) -> list[Mapping[str, float]]:
    """The metric of every network that was measured, and the figures of its layers together; the chosen one comes last."""
    problem = table.problem(Limits(), "latency")
    found: list[Mapping[str, float]] = [{"metric": trials.before, **_plain(table.exact)}]
    for forms, metric in sorted(trials.measured(), key=lambda pair: pair[0] == dict(chosen)):
        found.append({"metric": metric, **_plain(problem.takes(places_of(table, forms)))})
    return found


def _plain(figures: Figures) -> dict[str, float]:
    return {str(name): value for name, value in figures.items()}


def _facts(space: Space, evidence: Evidence) -> tuple[object, ...]:
    """What else decides what is measured; not the bounds, so that a search with others finds it all."""
    goal, choices = space.goal, [(layer, *map(spelled, space.choices(layer))) for layer in space.layers]
    target = astuple(replace(goal.target, ram=0, flash=0))
    return target, goal.level, evidence.method, needs_energy(goal), choices


def apart(data: DataSet, seed: int) -> tuple[DataSet, DataSet | None]:
    """(what chooses, a third that judges), drawn by ``seed``; all of it and nothing where there is not enough."""
    if len(data) < ENOUGH:
        return data, None
    order = np.random.default_rng([seed, 1]).permutation(len(data))
    cut = len(data) // 3
    return data.take(np.sort(order[cut:])), data.take(np.sort(order[:cut]))


def judged(exact: Graph, changed: Graph, held: DataSet, target: Target, level: int) -> Held:
    """The metric of the ``changed`` network beside the ``exact`` one on samples that chose nothing."""
    before, after = (compiled_outputs(g, held, target, level) for g in (exact, changed))
    if held.labels is None:
        figures = 100.0, metrics.agreement(after, before)
    else:
        figures = metrics.accuracy(before, held.labels), metrics.accuracy(after, held.labels)
    if before[0].size == 1:
        return Held(held.samples, *figures, None, None)
    wanted = metrics.decisions(before) if held.labels is None else held.labels
    pairs = metrics.decisions(before) == wanted, metrics.decisions(after) == wanted
    return Held(held.samples, *figures, drop_interval(*pairs)[1], drop_bound(*pairs))
