"""The joint choice of a form for every layer, over all techniques and under several bounds at once.

What layers take and lose is added up to choose, and the whole network is measured to decide: the sum of errors that may be made
grows as long as the network keeps its budget, forms that were passed over are tried in turn, and where sums were wrong about a
bound, the bound is drawn in by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from math import inf

from edgeopt.forms.form import EXACT, Choice
from edgeopt.frontend.notes import add_note
from edgeopt.search import budget
from edgeopt.search.alike import alike, at_least_alike, forms_of, look_first, places_of, unchanged
from edgeopt.search.allocate import Picked, Problem, cheapest, cost, mildest, nearest
from edgeopt.search.exchange import exchange
from edgeopt.search.limits import Limits, infeasible
from edgeopt.search.space import Space
from edgeopt.search.table import Table
from edgeopt.search.trials import Trials

STEP = 2.0  # times the sum of errors from one network to the next; chosen by hand
SMALLEST = 1e-5  # of the largest sum, where the steps begin
MISSES = 2  # networks that do not keep the budget, after which none with more errors is tried; chosen by hand
EXCHANGED = 0.9  # of what a network takes, which forms tried in turn hardly get below; chosen by hand
Solve = Callable[[float], Picked | None]  # the options for a sum of errors


def joint(space: Space, trials: Trials, table: Table) -> budget.Choice[Choice]:
    """The forms that take least of the objective, keep the limits by what is known of layers, and the budget on the samples.

    Where no forms do: the nearest ones within the budget, if the limits are stretched; else raises Infeasible, which names them.
    """
    limits = space.goal.limits or Limits()
    problem, kept = _within(space, trials, table, limits)
    if not kept and space.pinned:
        add_note(space.graph, "not all layers have the form that was asked for: the budget or the bounds would not be kept")
        problem, kept = _within(space, trials, table, limits, free=True)
    if kept:
        made = _improved(problem, trials, table, kept)
    elif limits.stretched:
        made = forms_of(table, _nearest(problem, trials, table))
    else:
        raise _refused(problem, trials, table)
    exact = tuple(layer for layer, choice in made.items() if choice == EXACT)
    lossy = tuple(
        n
        for n in exact
        if any(
            table.takes[c][n][space.goal.objective] < table.takes[EXACT][n][space.goal.objective]
            for c in table.choices[n]
            if c != EXACT
        )
    )
    return budget.Choice(made, lossy, trials.bounded(made))


def _within(space: Space, trials: Trials, table: Table, limits: Limits, free: bool = False) -> tuple[Problem, list[Picked]]:
    """What is to be solved, and the options of sums of errors that keep the budget, the largest last."""
    problem = loosened(table.problem(limits, space.goal.objective, free))
    start = look_first(problem, trials, table) or mildest(problem)
    return problem, [] if start is None else climbed(problem, trials, table, lambda most: cheapest(problem, most), start)


def loosened(problem: Problem) -> Problem:
    """With a bound of RAM that can be kept by what is known of layers: a finished program may take less, and is measured."""
    bound = problem.limits.memory
    if bound is None or mildest(problem) is not None:
        return problem
    least = nearest(replace(problem, limits=Limits(memory=bound)))
    if least is None:
        return problem
    return replace(problem, limits=replace(problem.limits, memory=max(bound, 1.01 * problem.takes(least)["memory"])))


def climbed(problem: Problem, trials: Trials, table: Table, solve: Solve, start: Picked) -> list[Picked]:
    """The options of rising sums of errors that keep the budget, step by step from the ``start``.

    Networks are tried in an order that no sample has chosen, from those that are likely to do to the others: so all may have the
    same bound until some are refused.
    """
    best, found, seen, missed = solve(inf), list[Picked](), list[Picked](), 0
    high = 0.0 if best is None else problem.error(best)
    for tried in chain([start], _steps(problem, solve, problem.error(start), high)):  # solved when it is their turn
        if missed == MISSES:
            break
        if tried in seen or tried is not start and _beaten(problem, trials, tried):
            continue  # those of more errors take less
        seen.append(tried)
        if trials.bounded(forms_of(table, tried), whenever=tried is start) <= trials.space.goal.max_drop:
            found.append(tried)
        else:
            missed += 1
    return found


def _steps(problem: Problem, solve: Solve, low: float, high: float) -> Iterator[Picked]:
    """What is solved for one sum of errors after the other, each larger by a step."""
    error = max(low, SMALLEST * high)
    while error < high:
        error = min(high, STEP * error)
        tried = solve(error)
        if tried is not None:
            yield tried


def _beaten(problem: Problem, trials: Trials, picked: Picked, part: float = 1.0) -> bool:
    """Whether ``part`` of what these options take is more than what the network of another search takes."""
    goal = trials.space.goal
    return goal.known is not None and part * problem.takes(picked)[goal.objective] > goal.known


def _nearest(problem: Problem, trials: Trials, table: Table) -> Picked:
    """The options within the budget of accuracy that come nearest to the bounds; at worst all layers stay exact."""
    exact = unchanged(problem, table)
    found = [exact, *climbed(problem, trials, table, lambda most: nearest(problem, most), exact)][-1]
    each = (alike(problem, table, choice) for choice in table.takes if len(choice) == 1)
    tried = [picked for picked in each if trials.known(forms_of(table, picked))]
    within = [p for p in tried if trials.bounded(forms_of(table, p)) <= trials.space.goal.max_drop]
    return min([found, *within], key=lambda picked: problem.limits.excess(problem.takes(picked)))


def _refused(problem: Problem, trials: Trials, table: Table) -> Exception:
    """What to raise: how near the bounds the network comes, by what is known of layers."""
    found = _nearest(problem, trials, table)
    drop = trials.bounded(forms_of(table, found))
    return infeasible(problem.limits, problem.takes(found), drop, trials.space.goal.max_drop)


def _improved(problem: Problem, trials: Trials, table: Table, kept: list[Picked]) -> dict[str, Choice]:
    """The last of the networks that a climb ``kept``, or one of layers that are all alike, after forms passed over were tried.

    Where it began with layers that change next to nothing, and ended where no other network would do by the margin that there is
    by then, they are tried from the last one on that is sure.
    """
    found = at_least_alike(problem, trials, table, kept[-1])
    if _beaten(problem, trials, found, EXCHANGED):
        return forms_of(table, found)
    sure = [picked for picked in kept if not trials.doubtful(forms_of(table, picked))]
    slow = kept[0] == mildest(problem) and trials.doubtful(forms_of(table, found))
    made = _exchanged(problem, trials, table, sure[-1] if slow and sure else found)
    return forms_of(table, min(found, made, key=lambda picked: cost(problem, picked)))


def _exchanged(problem: Problem, trials: Trials, table: Table, found: Picked) -> Picked:
    """``found`` after cheaper forms that were passed over were tried, within the limits."""
    known = [
        budget.Candidate(layer, choice, cost(problem, {layer: k}), problem.options[layer][k].error)
        for layer, choices in table.choices.items()
        for k, choice in enumerate(choices)
    ]

    def measure(forms: Mapping[str, Choice]) -> float:
        return inf if problem.limits.exceeded(problem.takes(places_of(table, forms))) else trials.bounded(forms)

    forms = forms_of(table, found)
    start = budget.Choice(forms, (), 0.0)
    return places_of(table, exchange(forms, start, known, measure, trials.space.goal.max_drop, trials.doubtful).forms)
