"""All choices of all layers, with their costs and errors, for the repair."""

from __future__ import annotations

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import divergence
from edgeopt.forms.form import EXACT, Choice
from edgeopt.search.budget import Candidate
from edgeopt.search.space import Space, merged
from edgeopt.search.start import choice_costs

SAMPLES = 48  # chosen by hand


def candidates(space: Space) -> list[Candidate[Choice]]:
    """Each choice of each layer: its cost in seconds or stored bytes, and what it alone does to the network's output."""
    uniform = space.uniform()
    costs = choice_costs(space, uniform)
    found = []
    for choice in uniform:
        layers = [n for n in space.layers if choice in space.choices(n)]
        errors = _errors(space, choice, layers) if choice else {}
        found += [Candidate(n, choice, costs[choice][n], errors.get(n, 0.0)) for n in layers]
    return found


def _errors(space: Space, choice: Choice, layers: list[str]) -> dict[str, float]:
    """For each layer the divergence of the network's output when that layer alone has ``choice``."""
    data: DataSet = space.inputs.subset(SAMPLES)
    reference, solved = outputs(space.graph, data), space.solve(space.all_in(choice))
    return {n: divergence(reference, outputs(space.graph, data, merged(solved, [n]))) for n in layers if choice != EXACT}
