"""All choices of all layers, with their costs and errors, for the repair."""

from __future__ import annotations

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import divergence
from edgeopt.forms.form import EXACT, FLOAT, Choice, named
from edgeopt.search.budget import Candidate
from edgeopt.search.space import Space, merged
from edgeopt.search.start import rough_costs

SAMPLES = 48  # chosen by hand


def candidates(space: Space) -> list[Candidate[Choice]]:
    """Each choice of each layer: its cost in seconds or stored bytes, and what it alone does to the network's output."""
    uniform = space.uniform()
    costs = _costs(space, uniform)
    found = []
    for choice in uniform:
        layers = [n for n in space.layers if choice in space.choices(n)]
        errors = _errors(space, choice, layers) if choice else {}
        found += [Candidate(n, choice, costs[choice][n], errors.get(n, 0.0)) for n in layers]
    return found


def _costs(space: Space, uniform: list[Choice]) -> dict[Choice, dict[str, float]]:
    known = rough_costs(space, {named(c): space.all_in(c) for c in uniform if c})
    by_size = space.goal.objective == "size"
    layers = {c: {n: known[named(c) if c else FLOAT].layer(n) for n in space.layers} for c in uniform}
    return {c: {n: cost.stored if by_size else cost.seconds for n, cost in costs.items()} for c, costs in layers.items()}


def _errors(space: Space, choice: Choice, layers: list[str]) -> dict[str, float]:
    """For each layer the divergence of the network's output when that layer alone has ``choice``."""
    data: DataSet = space.inputs.subset(SAMPLES)
    reference, solved = outputs(space.graph, data), space.solve(space.all_in(choice))
    return {n: divergence(reference, outputs(space.graph, data, merged(solved, [n]))) for n in layers if choice != EXACT}
