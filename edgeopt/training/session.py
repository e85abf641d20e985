"""From a model, data and a recipe to a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeopt.evaluate.data import DataSet, admit, read
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form, Session
from edgeopt.forms.quantize.technique import Quantize
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.rewrite import Context
from edgeopt.search.result import Decision
from edgeopt.search.run import Data, exact_graph
from edgeopt.target import Target
from edgeopt.training import outcome
from edgeopt.training.batches import Batches, split
from edgeopt.training.checkpoint import identity
from edgeopt.training.forward import values
from edgeopt.training.layers import Layers, layers_of
from edgeopt.training.loop import Task
from edgeopt.training.losses import loss_of
from edgeopt.training.network import require_trainable
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.seen_before import seen_before
from edgeopt.training.train import Listener, Store, train

CALIBRATION = 512
SAVE_SECONDS = 20.0


@dataclass(frozen=True)
class Asked:
    """What is to be trained how: see ``edgeopt.tune``, whose arguments these are."""

    recipe: TrainingRecipe
    train: Data
    data: Data | None
    target: Target
    context: Context
    seed: int
    checkpoints: Path | None
    listener: Listener | None


def trained(graph: Graph, asked: Asked) -> tuple[Graph, Decision]:
    """The exact graph that was trained from, and what became of its layers."""
    recipe = asked.recipe
    graph, statistics = exact_graph(graph, _keys(recipe), asked.context)
    require_trainable(graph)
    samples, evaluation = _read(asked.train, graph), None if asked.data is None else _read(asked.data, graph)
    batches = split(samples, graph, recipe.batch, asked.seed, recipe.augmentation)
    if evaluation is not None and (count := seen_before(evaluation, samples)):
        add_note(
            graph, f"{count} of {len(evaluation)} samples to measure on are among those trained on: the result says too much"
        )
    calibration = batches.training.subset(CALIBRATION)
    evidence = Evidence(graph, calibration, statistics, asked.target.signed_bytes)
    quantize = Quantize().open(evidence, _keys(recipe)["quantize"]) if recipe.forms else None
    layers = layers_of(graph)
    layers.planner = None if quantize is None else lambda made: _plan(made, recipe, quantize)
    steps = max(1, round(recipe.epochs * batches.steps_an_epoch))
    train(recipe.phases, layers, _task(graph, batches, recipe), steps, _store(asked, layers, batches), asked.listener)
    found = outcome.solved(layers, quantize)
    measured = evaluation or batches.held_out
    return graph, outcome.decided(layers, found, measured, asked.target, asked.context.level, recipe.name)


def _keys(recipe: TrainingRecipe) -> dict[str, list[str]]:
    """The forms that are needed, by technique: what the opset has to have."""
    forms = list(dict.fromkeys([form for _, form in recipe.forms] + ([recipe.ends] if recipe.ends else [])))
    return {"quantize": forms} if forms else {"prune": ["unstructured-50"]}


def _read(source: Data, graph: Graph) -> DataSet:
    return read(source, graph) if isinstance(source, (str, Path)) else admit(source, graph)


def _plan(layers: Layers, recipe: TrainingRecipe, session: Session) -> QuantizationPlan:
    """What quantization makes of the layers as they are now, each in its form; first and last may have one of their own."""
    names = [n.name for n in layers.nodes]
    forms = {name: form for name in names if (form := recipe.form(name)) is not None}
    if recipe.ends:
        forms.update({name: recipe.ends for name in (names[0], names[-1]) if name in forms})
    under = Overlay(constants=dict(layers.constants))
    for name, form in forms.items():
        layers.forms[name].append(form)
    return session.solve({name: Form("quantize", form) for name, form in forms.items()}, under)  # type: ignore[no-any-return]


def _task(graph: Graph, batches: Batches, recipe: TrainingRecipe) -> Task:
    """The original network's values are computed once, where inputs do not change."""
    loss = loss_of(graph, batches.training, recipe.teacher)
    teacher = None if batches.augmentation else values(graph, loss.value, batches.training)
    return Task(clone(graph), batches, loss, teacher)


def _store(asked: Asked, layers: Layers, batches: Batches) -> Store | None:
    if asked.checkpoints is None:
        return None
    arrays = [*layers.constants.values(), *batches.training.arrays.values(), *batches.held_out.arrays.values()]
    name = identity([asked.recipe, asked.seed, *arrays, batches.training.labels])
    return Store(asked.checkpoints, name, SAVE_SECONDS)
