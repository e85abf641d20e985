"""Early exits of a network that was trained: heads on samples it was trained on, their threshold on those that were held out."""

from __future__ import annotations

from dataclasses import replace

from edgeopt.evaluate import metrics
from edgeopt.forms.form import Form
from edgeopt.ir import Graph
from edgeopt.search.exits import Stage, leave_early
from edgeopt.search.result import Decision
from edgeopt.search.trials import compiled_outputs
from edgeopt.training.asked import Asked, Trained

HEADS = 20000  # samples that heads are fitted to


def with_exits(graph: Graph, made: Trained, asked: Asked) -> tuple[Graph, Decision]:
    """``graph``, what training made, with exits as the recipe wants them, measured on what is only for that.

    What is lost by leaving counts from the network as it was trained: the one that was followed knows the samples that are held
    out here where it was trained on them before, and no other network is as right on these. What is said in the end counts from
    that one, on data of its own. There is a note where no exit saves anything within the budget.
    """
    recipe, level = asked.recipe, asked.context.level
    stage = Stage(Form("exit", recipe.exits), None, recipe.max_drop, asked.target, asked.context)
    reference = compiled_outputs(graph, made.batches.held_out, asked.target, level)
    heads = made.batches.training.subset(HEADS, asked.seed)
    graph, found = leave_early(graph, replace(made.found, reference=reference), heads, made.batches.held_out, stage)
    assert found is not None
    if made.evaluation is None or found.leaving is None:
        return graph, found
    data = made.evaluation
    before, after = (compiled_outputs(g, data, asked.target, level) for g in (made.original, graph))
    agreement = metrics.agreement(after, before)
    right = 100.0 if data.labels is None else metrics.accuracy(before, data.labels)
    kept = agreement if data.labels is None else metrics.accuracy(after, data.labels)
    return graph, replace(found, before=right, after=kept, agreement=agreement, samples=data.samples)
