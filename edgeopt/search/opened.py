"""A joint search of a model from the beginning, for whoever looks at many of its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from edgeopt.evaluate.data import DataSet
from edgeopt.forms.form import Evidence
from edgeopt.frontend import load
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.decide_jointly import apart, opened_search
from edgeopt.search.ladders import ladders
from edgeopt.search.limits import Limits
from edgeopt.search.recipe import joint_recipe, read_recipe
from edgeopt.search.samples import samples
from edgeopt.search.sketch import exact_graph, facts_of, opened
from edgeopt.search.space import Space
from edgeopt.search.table import Table
from edgeopt.search.trials import Trials
from edgeopt.target import Target

LEVEL = 3
EVERYTHING = Limits(energy=inf)  # so that energy is estimated, too


@dataclass(frozen=True)
class Search:
    """What layers may become, trials on the samples that choose, prices, samples that calibrate, and those that only judge."""

    space: Space
    trials: Trials
    table: Table
    calibrating: DataSet
    held: DataSet | None


def open_model(
    model: str | Path,
    target: Target,
    data: str | Path | DataSet,
    calibration: str | Path | DataSet | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    seed: int = 0,
    accept_chance: bool = False,
) -> Search:
    """The search of the recipe ``joint``, or ``joint-board`` for microcontrollers. Raises EdgeoptError as compilation does."""
    recipe = read_recipe(joint_recipe(EVERYTHING, "latency", target))
    budget = Budget(data, calibration, recipe=recipe, limits=EVERYTHING, seed=seed, accept_chance=accept_chance)
    keys, _ = ladders(budget.names, budget.recipe, False)
    graph, statistics = exact_graph(load(model, shapes), keys, Context(level=LEVEL))
    calibrating, evaluating = samples(graph, data, calibration, seed)
    assert calibrating is not None and evaluating is not None
    evidence = Evidence(graph, calibrating, statistics, method=budget.method, **facts_of(target))
    allowed = budget.pins.allowed(keys, recipe, None)
    chosen, held = apart(evaluating, seed)
    goal = replace(budget.goal(target, LEVEL), objective="latency")
    space, _, trials, table = opened_search(graph, evidence, chosen, goal, lambda: opened(evidence, keys, allowed), allowed)
    trials.arenas = True
    return Search(space, trials, table, calibrating, held)
