"""Networks whose layers are all alike, as recipes of one form make them: a joint search finds nothing worse."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import isfinite

from edgeopt.forms.form import EXACT, Choice
from edgeopt.search.allocate import Picked, Problem, cost
from edgeopt.search.table import Table
from edgeopt.search.trials import Trials

FAR = 4.0  # times the sum of errors that was found, beyond which nothing more is tried; chosen by hand


def at_least_alike(problem: Problem, trials: Trials, table: Table, found: Picked) -> Picked:
    """``found``, or the cheapest network of layers in one form of one technique that keeps limits and budget, if that is cheaper.

    When the time is over before anything was found, those are taken that are known, or the mildest one is verified all the same.
    """
    known = [alike(problem, table, choice) for choice in table.takes if len(choice) == 1]
    options = [picked for picked in known if cost(problem, picked) < cost(problem, found) and _within(problem, picked)]
    cheap = partial(cost, problem)
    nothing = not any(forms_of(table, found).values())
    if nothing and trials.space.goal.late:
        tried = [picked for picked in options if trials.known(forms_of(table, picked))]
        options, far = sorted(tried, key=cheap) or sorted(options, key=problem.error)[:1], float("inf")
    else:
        options = sorted(options, key=cheap)
        far = float("inf") if nothing else FAR * problem.error(found)
    near = (picked for picked in options if problem.error(picked) <= far or trials.known(forms_of(table, picked)))
    most = trials.space.goal.max_drop
    return next((picked for picked in near if trials.bounded(forms_of(table, picked), whenever=nothing) <= most), found)


def look_first(problem: Problem, trials: Trials, table: Table) -> Picked | None:
    """Try all layers in each form of values, or in the mildest form where none changes values, before anything else.

    The margin of what is looked at first is the smallest. The mildest of them is tried though the time is over, if none is known.
    Returns the one with most errors of those that keep limits and budget.
    """
    values = {session.technique.name for session in trials.space.sessions if session.technique.axis == "values"}
    known = [choice for choice in table.takes if len(choice) == 1]
    first = [choice for choice in known if {form.technique for form in choice} <= values]
    each = {choice: alike(problem, table, choice) for choice in known}
    mildest = sorted(first or known, key=lambda choice: problem.error(each[choice]))[:1]
    kept = []
    for choice in first or mildest:
        drop = trials.bounded(forms_of(table, each[choice]), whenever=choice in mildest and not trials.measured())
        kept += [each[choice]] if drop <= trials.space.goal.max_drop and _within(problem, each[choice]) else []
    return max(kept, key=problem.error, default=None)


def alike(problem: Problem, table: Table, choice: Choice) -> Picked:
    """Every layer in ``choice`` where it may have that, else as it was."""
    picked = unchanged(problem, table)
    for layer, found in table.choices.items():
        if choice in found and isfinite(problem.options[layer][found.index(choice)].error):
            picked[layer] = found.index(choice)
    return picked


def unchanged(problem: Problem, table: Table) -> Picked:
    """Every layer exact, or in the form that it must have."""
    made = {layer: found.index(EXACT) for layer, found in table.choices.items()}
    for layer in (n for n, k in made.items() if not isfinite(problem.options[n][k].error)):
        made[layer] = next((k for k, option in enumerate(problem.options[layer]) if isfinite(option.error)), made[layer])
    return made


def forms_of(table: Table, picked: Picked) -> dict[str, Choice]:
    """The choices at these places."""
    return {layer: table.choices[layer][place] for layer, place in picked.items()}


def places_of(table: Table, forms: Mapping[str, Choice]) -> Picked:
    """The places of these choices."""
    return {layer: table.choices[layer].index(choice) for layer, choice in forms.items()}


def _within(problem: Problem, picked: Picked) -> bool:
    return not problem.limits.exceeded(problem.takes(picked))
