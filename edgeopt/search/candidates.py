"""All choices of all layers, with their costs and errors, for the repair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import outputs
from edgeopt.evaluate.metrics import divergence
from edgeopt.evaluate.onward import outputs_of_each
from edgeopt.forms.form import Choice, named
from edgeopt.ops.macs import runs_within
from edgeopt.progress import news
from edgeopt.search.budget import Candidate
from edgeopt.search.space import Space, merged
from edgeopt.search.start import choice_costs

SAMPLES, FEWER_SAMPLES = 48, 12  # chosen by hand
WORK = 1 << 34  # multiply-accumulates of a run on as many samples; each form takes half a run for each layer


def candidates(space: Space) -> list[Candidate[Choice]]:
    """Each choice of each layer: its cost in seconds or stored bytes, and what it alone does to the network's output.

    Errors of forms on several axes add up: each is measured by itself, or there would be as many runs as combinations.
    """
    uniform = space.uniform()
    costs, errors = choice_costs(space, uniform), choice_errors(space, uniform)
    return [Candidate(name, c, costs[c][name], error) for c in uniform for name, error in errors[c].items()]


def choice_errors(space: Space, choices: Sequence[Choice]) -> dict[Choice, dict[str, float]]:
    """What each of ``choices`` does alone to the network's output, for each layer that can have it."""
    return summed(space, choices, {c: form_errors(space, c) for c in choices if len(c) == 1})


def summed(
    space: Space, choices: Sequence[Choice], single: Mapping[Choice, Mapping[str, float]]
) -> dict[Choice, dict[str, float]]:
    """The errors of ``choices`` where those of ``single`` forms are known."""
    layers = {choice: [n for n in space.layers if choice in space.choices(n)] for choice in choices}
    return {c: {n: sum(single[frozenset([form])][n] for form in c) for n in layers[c]} for c in choices}


def form_errors(space: Space, choice: Choice) -> dict[str, float]:
    """For each layer that has it the divergence of the network's output when that layer alone has ``choice``, of one form."""
    news(f"what {named(choice)} loses in each layer")
    data: DataSet = space.inputs.subset(runs_within(space.graph, WORK, FEWER_SAMPLES, SAMPLES))
    reference, solved = outputs(space.graph, data), space.alone(space.all_in(choice))
    layers = [n for n in space.layers if choice in space.choices(n)]
    found = outputs_of_each(space.graph, data, [merged(solved, [n]) for n in layers])
    return {n: divergence(reference, result) for n, result in zip(layers, found, strict=True)}
