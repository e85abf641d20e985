"""Training where a search without gradients missed the form that was asked for: the ``--train`` of ``compile -O3``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeopt.errors import EdgeoptError
from edgeopt.forms.form import FLOAT
from edgeopt.forms.prune.patterns import FORMS
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from edgeopt.search.allowed import Budget
from edgeopt.search.result import Decision
from edgeopt.search.run import carried_out
from edgeopt.search.samples import Data, samples
from edgeopt.target import Target
from edgeopt.training.asked import Asked
from edgeopt.training.phase import Phase
from edgeopt.training.phases.prune import Prune
from edgeopt.training.phases.quantize import Quantize
from edgeopt.training.phases.share import Share
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.session import trained

EPOCHS, SHARED = 10.0, 0.15  # of the training; the part of it that is for tables of values
PATTERNS = {"magnitude": "unstructured", "activation": "unstructured", "global": "unstructured"}


def missed(found: Decision) -> list[str]:
    """The layers that lose too much in the form that was wanted for all: they have others, or none."""
    if "rejected" in found.costs:
        return []
    left = {*found.slow, *found.refused}
    return [name for name, form in found.forms.items() if form != found.scheme and name not in left]


def trained_instead(
    original: Graph, result: tuple[Graph, Decision | None], budget: Budget, train: Data, context: Context, target: Target
) -> tuple[Graph, Decision | None]:
    """The ``result`` of the search, or the network trained in the forms that it missed, if that keeps within the budget.

    ``original`` is the network as it was read. Which it was, and why, is noted.
    """
    graph, found = result
    if found is None or not (layers := missed(found)):
        return result
    recipe = recipe_of(budget.names, [name for name, form in found.forms.items() if form != FLOAT or name in layers])
    _, evaluation = samples(original, budget.data, budget.calibration, budget.seed)
    done = trained(original, Asked(recipe, train, evaluation, target, context, seed=0))
    lost = done.found.before - done.found.after
    shown = f"trained in {recipe.name}, {len(layers)} of whose layers lost too much without: {lost:.2f} points lost"
    if lost > budget.max_drop:
        add_note(graph, f"{shown}, more than --max-drop {budget.max_drop:g}: not taken")
        return result
    made = carried_out(done.graph, done.found, context)
    add_note(made, shown)
    return made, done.found


def recipe_of(names: Mapping[str, str], layers: Sequence[str]) -> TrainingRecipe:
    """One that ends in the forms ``names`` of techniques, for ``layers``. Raises EdgeoptError for forms that no phase trains."""
    phases, forms = list[Phase](), tuple[tuple[str, str], ...]()
    for name, key in names.items():
        if name == "prune":
            form = FORMS[key]
            phases.append(Prune(form.shares[form.round], PATTERNS.get(form.family, form.family), share=1.0 - SHARED))
        elif name == "share_weights" and key.startswith("codebook-"):
            phases.append(Share((("*", int(key.split("-")[1])),), share=SHARED))
        elif name == "quantize":
            phases.append(Quantize())
            forms = tuple((layer, key) for layer in layers)
        else:
            raise EdgeoptError(f"--train: no phase trains '{key}'; prune, codebook-N and schemes of quantization can be trained")
    return TrainingRecipe(" + ".join(names.values()), "", tuple(phases), EPOCHS, forms=forms)
