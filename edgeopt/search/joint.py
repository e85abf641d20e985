"""The joint choice of a form for every layer, over all techniques and under several bounds at once.

What layers take and lose is added up to choose, and the whole network is measured to decide: the sum of errors that may be made
is halved and doubled until the network just keeps its budget, forms that were passed over are tried in turn, and where sums were
wrong about a bound, the bound is drawn in by as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf

from edgeopt.forms.form import EXACT, Choice
from edgeopt.frontend.notes import add_note
from edgeopt.search import budget
from edgeopt.search.alike import alike, at_least_alike, forms_of, look_first, unchanged
from edgeopt.search.allocate import Picked, Problem, cheapest, cost, mildest, nearest
from edgeopt.search.exchange import exchange
from edgeopt.search.limits import Limits, infeasible
from edgeopt.search.space import Space
from edgeopt.search.table import Table
from edgeopt.search.trials import Trials

HALVINGS = 7  # of the interval in which the sum of errors is looked for, on a logarithmic scale; chosen by hand
SMALLEST = 1e-5  # of the largest sum, where the interval begins
EXCHANGED = 0.9  # of what a network takes, which forms tried in turn hardly get below; chosen by hand
Solve = Callable[[float], Picked | None]  # the options for a sum of errors


def joint(space: Space, trials: Trials, table: Table) -> budget.Choice[Choice]:
    """The forms that take least of the objective, keep the limits by what is known of layers, and the budget on the samples.

    Where no forms do: the nearest ones within the budget, if the limits are stretched; else raises Infeasible, which names them.
    """
    limits = space.goal.limits or Limits()
    problem, found = _within(space, trials, table, limits)
    if found is None and space.pinned:
        add_note(space.graph, "not all layers have the form that was asked for: the budget or the bounds would not be kept")
        problem, found = _within(space, trials, table, limits, free=True)
    if found is not None:
        found = at_least_alike(problem, trials, table, found)
        hopeless = _beaten(problem, trials, found, EXCHANGED)
        made = forms_of(table, found) if hopeless else _exchanged(problem, trials, table, found)
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


def _within(space: Space, trials: Trials, table: Table, limits: Limits, free: bool = False) -> tuple[Problem, Picked | None]:
    """What is to be solved, and the options of the largest sum of errors that keep the budget."""
    problem = table.problem(limits, space.goal.objective, free)
    problem = loosened(problem) if space.goal.target.bare else problem
    look_first(problem, trials, table)
    gentle = mildest(problem)
    return problem, None if gentle is None else _largest(problem, trials, table, lambda most: cheapest(problem, most), gentle)


def loosened(problem: Problem) -> Problem:
    """With a bound of RAM that can be kept by what is known of layers: a finished program may take less, and is measured."""
    bound = problem.limits.memory
    if bound is None or mildest(problem) is not None:
        return problem
    least = nearest(replace(problem, limits=Limits(memory=bound)))
    if least is None:
        return problem
    return replace(problem, limits=replace(problem.limits, memory=max(bound, 1.01 * problem.takes(least)["memory"])))


def _largest(problem: Problem, trials: Trials, table: Table, solve: Solve, gentle: Picked) -> Picked | None:
    """The options of the largest sum of errors that keep the budget; None where even the ``gentle`` ones do not."""
    best, most = solve(inf), trials.space.goal.max_drop
    if best is None or trials.bounded(forms_of(table, best)) <= most:
        return best
    if trials.bounded(forms_of(table, gentle), whenever=True) > most:
        return None
    high, found = problem.error(best), gentle
    low = max(problem.error(gentle), SMALLEST * high)
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        tried = solve(middle)
        if tried is not None and trials.bounded(forms_of(table, tried)) <= most:
            low, found = middle, tried
        elif tried is not None and _beaten(problem, trials, tried):
            break  # those of less error take more
        else:
            high = middle
    return found


def _beaten(problem: Problem, trials: Trials, picked: Picked, part: float = 1.0) -> bool:
    """Whether ``part`` of what these options take is more than what the network of another search takes."""
    goal = trials.space.goal
    return goal.known is not None and part * problem.takes(picked)[goal.objective] > goal.known


def _nearest(problem: Problem, trials: Trials, table: Table) -> Picked:
    """The options within the budget of accuracy that come nearest to the bounds; at worst all layers stay exact."""
    exact = unchanged(problem, table)
    found = _largest(problem, trials, table, lambda most: nearest(problem, most), exact) or exact
    each = (alike(problem, table, choice) for choice in table.takes if len(choice) == 1)
    tried = [picked for picked in each if trials.known(forms_of(table, picked))]
    within = [p for p in tried if trials.bounded(forms_of(table, p)) <= trials.space.goal.max_drop]
    return min([found, *within], key=lambda picked: problem.limits.excess(problem.takes(picked)))


def _refused(problem: Problem, trials: Trials, table: Table) -> Exception:
    """What to raise: how near the bounds the network comes, by what is known of layers."""
    found = _nearest(problem, trials, table)
    drop = trials.bounded(forms_of(table, found))
    return infeasible(problem.limits, problem.takes(found), drop, trials.space.goal.max_drop)


def _exchanged(problem: Problem, trials: Trials, table: Table, found: Picked) -> dict[str, Choice]:
    """``found`` after cheaper forms that were passed over were tried, within the limits."""
    known = [
        budget.Candidate(layer, choice, cost(problem, {layer: k}), problem.options[layer][k].error)
        for layer, choices in table.choices.items()
        for k, choice in enumerate(choices)
    ]

    def measure(forms: Mapping[str, Choice]) -> float:
        picked = {layer: table.choices[layer].index(choice) for layer, choice in forms.items()}
        return inf if problem.limits.exceeded(problem.takes(picked)) else trials.bounded(forms)

    forms = forms_of(table, found)
    start = budget.Choice(forms, (), 0.0)
    return exchange(forms, start, known, measure, trials.space.goal.max_drop).forms
