"""The forms of all layers at once under several bounds: a multiple-choice knapsack problem with several resources.

It is solved as a mixed integer program (Kellerer, Pferschy, Pisinger, Knapsack Problems, 2004, chapter 11) by scipy's HiGHS. What
a layer takes adds up over the network, except RAM, of which the layer that takes most decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.search.goal import Objective
from edgeopt.search.limits import Figures, Limits
from edgeopt.standard_output import kept_clean

SECONDS, GAP = 5.0, 1e-3  # of one program: what it may take, and how far from the optimum it may end; chosen by hand
MOST: Objective = "memory"  # of which the largest counts, not the sum


@dataclass(frozen=True)
class Option:
    """One choice of one layer by its place in the layer's list: ``error``, and what it ``takes`` of each resource."""

    error: float
    takes: Figures


Options = Mapping[str, Sequence[Option]]
Picked = dict[str, int]  # layer -> place of its option
Row = tuple[Array, float]  # factors of the variables, and what their sum may be at most


@dataclass(frozen=True)
class Problem:
    """``options`` of the layers, what the ``rest`` of the network takes whatever they are, the ``limits``, and ``weights`` of

    the resources in what is to be small.
    """

    options: Options
    rest: Figures
    limits: Limits
    weights: Figures

    @cached_property
    def open(self) -> list[tuple[str, int]]:
        """(layer, place) of the options worth a look: not those that take and lose no less than another one, and more of one."""
        return [(layer, k) for layer, found in self.options.items() for k in _unbeaten(found)]

    def takes(self, picked: Mapping[str, int]) -> dict[Objective, float]:
        """What the network takes with these options."""
        chosen = [self.options[layer][place].takes for layer, place in picked.items()]
        return {name: _total(name, rest, [takes[name] for takes in chosen]) for name, rest in self.rest.items()}

    def error(self, picked: Mapping[str, int]) -> float:
        """The sum of the layers' errors."""
        return sum(self.options[layer][place].error for layer, place in picked.items())


def _unbeaten(found: Sequence[Option]) -> list[int]:
    """The places of options with a finite error that no other one beats."""
    every = np.array([[option.error, *option.takes.values()] for option in found])
    beats: Array = np.all(every[:, None] <= every, axis=2) & np.any(every[:, None] < every, axis=2)
    return [k for k, option in enumerate(found) if isfinite(option.error) and not beats[:, k].any()]


def _total(name: Objective, rest: float, parts: Sequence[float]) -> float:
    return max([rest, *parts]) if name == MOST else rest + sum(parts)


def cheapest(problem: Problem, most: float = inf) -> Picked | None:
    """The options that take least by the weights, with errors of at most ``most``; None where the bounds cannot be kept."""
    return _solved(problem, lambda option: _cost(problem, option), most)


def mildest(problem: Problem) -> Picked | None:
    """The options of least error that keep the bounds."""
    return _solved(problem, lambda option: option.error, inf)


def nearest(problem: Problem, most: float = inf) -> Picked | None:
    """The options that come nearest to the bounds, with errors of at most ``most``: the largest excess is least."""
    return _solved(problem, lambda option: 1e-6 * _cost(problem, option), most, stretched=True)


def cost(problem: Problem, picked: Mapping[str, int]) -> float:
    """What is to be small."""
    return sum(_cost(problem, problem.options[layer][place]) for layer, place in picked.items())


def _cost(problem: Problem, option: Option) -> float:
    return sum(weight * option.takes[name] for name, weight in problem.weights.items())


def _solved(problem: Problem, price: Callable[[Option], float], most: float, stretched: bool = False) -> Picked | None:
    """One variable for each option, 1 where it is taken; the last is the factor by which the bounds are ``stretched``."""
    places = problem.open
    options = [problem.options[layer][k] for layer, k in places]
    prices = np.array([*map(price, options), 1.0 if stretched else 0.0])
    rows = _bounded(problem, places, options, stretched)
    if isfinite(most):
        rows.append((np.array([*(o.error for o in options), 0.0]), most))
    found = _least(_even(prices), places, rows, stretched)
    return None if found is None else {layer: k for (layer, k), taken in zip(places, found, strict=False) if taken > 0.5}


def _least(prices: Array, places: Sequence[tuple[str, int]], rows: Sequence[Row], stretched: bool) -> Array | None:
    """The variables of the cheapest choice of one option a layer within the rows; None where there is none."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # imported where it is used: see ``edgeopt.evaluate.bending``

    free = Bounds(np.zeros(len(prices)), np.array([*np.ones(len(places)), np.inf if stretched else 1.0]))
    bounds = [LinearConstraint(_one_each(places), 1.0, 1.0), *(LinearConstraint(row[None], -np.inf, end) for row, end in rows)]
    whole = np.array([*np.ones(len(places)), 0.0])
    asked = {"mip_rel_gap": GAP, "time_limit": SECONDS}
    with kept_clean():
        found: Array | None = milp(prices, integrality=whole, bounds=free, constraints=bounds, options=asked).x
    return found


def _even(prices: Array) -> Array:
    """Prices of a magnitude that the solver's tolerances suit."""
    return prices / (float(np.abs(prices).max()) or 1.0)


def _one_each(places: Sequence[tuple[str, int]]) -> Any:
    """The sparse matrix whose rows count the options that each layer takes."""
    from scipy.sparse import coo_array, csr_array

    layers = {layer: i for i, layer in enumerate(dict.fromkeys(layer for layer, _ in places))}
    at = [layers[layer] for layer, _ in places]
    matrix = coo_array((np.ones(len(places)), (at, range(len(places)))), shape=(len(layers), len(places) + 1))
    return csr_array(matrix)


def _bounded(problem: Problem, places: Sequence[tuple[str, int]], options: Sequence[Option], stretched: bool) -> list[Row]:
    """One row for each bound, of shares of it; of RAM one for each layer."""
    made: list[Row] = []
    for name, bound in problem.limits.given.items():
        shares = np.array([option.takes[name] / bound for option in options])
        (end, factor), rest = (0.0, -1.0) if stretched else (1.0, 0.0), problem.rest[name] / bound
        if name != MOST:
            made.append((np.array([*shares, factor]), end - rest))
            continue
        for layer in problem.options:
            mine = np.array([share if other == layer else 0.0 for share, (other, _) in zip(shares, places, strict=True)])
            made.append((np.array([*mine, factor]), end))
    return made
