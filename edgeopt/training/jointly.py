"""Training after a joint search for few bytes: fewer weights than one shot leaves, where training makes up for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.intervals import drop_bound, drop_interval
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Array, Graph
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.decide_jointly import apart, judged
from edgeopt.search.result import Decision
from edgeopt.search.run import carried_out
from edgeopt.search.samples import Data, samples
from edgeopt.search.stored import constants_bytes
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import Target
from edgeopt.training.asked import Asked, Trained
from edgeopt.training.phases.prune import Prune
from edgeopt.training.phases.share import Share
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.session import trained

SHARES = (0.35, 0.5, 0.7)  # of the weights that one shot left, from few to many: the first that keeps the budget is taken
EPOCHS, SHARED, BITS = 20.0, 0.15, 4  # of each training; the part of it that is for tables of so many bits


@dataclass(frozen=True)
class Given:
    """The network as it was read, and what is asked of it."""

    original: Graph
    budget: Budget
    train: Data
    context: Context
    target: Target


def check(budget: Budget) -> None:
    """Raise EdgeoptError where bytes are not what is to be small, or other bounds are to be kept."""
    assert budget.limits is not None
    if budget.objective != "size" or set(budget.limits.given) - {"size"} or budget.data is None:
        wants = "after a joint search --train prunes and shares further: give --prefer size, --data and no bound but --max-size"
        raise EdgeoptError(f"{wants}; or name a form that is wanted and give no bounds")
    if budget.pins.floats or budget.pins.forms:
        raise EdgeoptError("after a joint search --train prunes and shares all layers: give no --keep-float and no --form")


def trained_jointly(result: tuple[Graph, Decision | None], given: Given) -> tuple[Graph, Decision | None]:
    """The ``result`` of the search, or a network that was trained to take fewer bytes and keeps the budget. Which is noted."""
    graph, found = result
    budget = given.budget
    if found is None or not found.stored:
        return result
    _, evaluation = samples(given.original, budget.data, budget.calibration, budget.seed)
    assert evaluation is not None
    chosen, held = apart(evaluation, budget.seed)
    for recipe in _recipes(found):
        done = trained(given.original, Asked(recipe, given.train, chosen, given.target, given.context, budget.seed))
        made = carried_out(done.graph, done.found, given.context)
        bytes_, lost = constants_bytes(made), drop_bound(*_pairs(done, made, chosen, given))
        shown = f"trained with {recipe.name}: {bytes_} bytes of constants, {constants_bytes(graph)} without training"
        if bytes_ < constants_bytes(graph) and lost <= budget.max_drop:
            add_note(made, shown)
            return made, _decided(done, made, chosen, held, found, given)
        add_note(graph, f"{shown}, {lost:.2f} points lost with a margin for samples not seen: not taken")
    return graph, found


def _recipes(found: Decision) -> Iterator[TrainingRecipe]:
    kept = sum(layer.kept for layer in found.stored) / sum(layer.weights for layer in found.stored)
    for share in SHARES:
        phases = Prune(share * kept, share=1.0 - SHARED), Share((("*", BITS),), share=SHARED)
        yield TrainingRecipe(f"{share * kept:.1%} of the weights and codebook-{BITS}", "", phases, EPOCHS)


def _pairs(done: Trained, made: Graph, data: DataSet, given: Given) -> tuple[Array, Array]:
    """Which decisions are right before and after; without labels, which are those of the original network."""
    level = given.context.level
    before, after = (metrics.decisions(compiled_outputs(g, data, given.target, level)) for g in (done.original, made))
    right = before if data.labels is None else data.labels
    return before == right, after == right


def _decided(done: Trained, made: Graph, chosen: DataSet, held: DataSet | None, found: Decision, given: Given) -> Decision:
    """What was trained, with what is known of samples that chose nothing."""
    reach = drop_interval(*_pairs(done, made, chosen, given))[1]
    kept = None if held is None else judged(done.original, made, held, given.target, given.context.level)
    made_of = replace(done.found, objective=found.objective, max_drop=found.max_drop, source=found.source, tried=found.tried)
    return replace(made_of, reach=reach, held=kept)
