"""Early exits of a network that was trained: heads on samples it was trained on, their threshold on those that were held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.form import Form
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.search.exits import Stage, leave_early
from edgeopt.search.result import Decision
from edgeopt.search.stored import named_bytes
from edgeopt.search.trials import compiled_outputs
from edgeopt.training.asked import Asked, Trained

HEADS = 20000  # samples that heads are fitted to
HELD_OUT = "these figures with exits are of samples that were held out of the training file"


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
    if found.leaving is None:
        return graph, found
    found = replace(found, stored=[*found.stored, *named_bytes(graph, found.leaving.heads)])
    if made.evaluation is None:
        add_note(graph, f"{HELD_OUT}; --data F.npz tells of others")
        return graph, found
    return graph, _measured(graph, found, made.original, made.evaluation, asked)


def _measured(graph: Graph, found: Decision, original: Graph, data: DataSet, asked: Asked) -> Decision:
    """``found`` with the figures on ``data``, which are noted beside those that chose the threshold."""
    level = asked.context.level
    before, after = (compiled_outputs(g, data, asked.target, level) for g in (original, graph))
    agreement = metrics.agreement(after, before)
    right = 100.0 if data.labels is None else metrics.accuracy(before, data.labels)
    kept = agreement if data.labels is None else metrics.accuracy(after, data.labels)
    left = 100 * _share_that_leaves(graph, found, data, asked)
    shown = f"{found.metric} {right:.2f} % -> {kept:.2f} % on the {data.samples} samples of --data"
    add_note(graph, f"{HELD_OUT}; {shown}, of which {left:.1f} % leave early")
    return replace(found, before=right, after=kept, agreement=agreement, samples=data.samples)


def _share_that_leaves(graph: Graph, found: Decision, data: DataSet, asked: Asked) -> float:
    """Of ``data``, at any exit: the second output of the graph is the number of the exit, or a larger one at the end."""
    assert found.leaving is not None
    where = compiled_outputs(graph, data, asked.target, asked.context.level, graph.outputs[1].name)
    return float(np.mean(np.ravel(where) < len(found.leaving.record["exits"])))
