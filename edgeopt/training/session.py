"""From a model, data and a recipe to a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, admit, read
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Evidence, Form, Session
from edgeopt.forms.quantize.technique import Quantize
from edgeopt.forms.registry import wanted
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.rewrite import Context
from edgeopt.search.goal import Goal
from edgeopt.search.result import Decision
from edgeopt.search.run import exact_graph, opened
from edgeopt.search.samples import Data
from edgeopt.search.space import Space
from edgeopt.target import Target
from edgeopt.training import outcome
from edgeopt.training.batches import Batches, split
from edgeopt.training.checkpoint import identity
from edgeopt.training.forward import values
from edgeopt.training.layers import Layers, layers_of
from edgeopt.training.loop import Task
from edgeopt.training.losses import loss_of
from edgeopt.training.network import require_trainable, starting
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.seen_before import seen_before
from edgeopt.training.train import Listener, Store, train

CALIBRATION = 512
SAVE_SECONDS = 20.0
ANY_OPSET = {"prune": ["unstructured-50"]}  # a form that needs no operator, for graphs whose opset may stay as it is


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
    teacher: Graph | None = None


def trained(graph: Graph, asked: Asked) -> tuple[Graph, Decision]:
    """The exact graph that was trained from, and what became of its layers."""
    recipe = asked.recipe
    graph, statistics = exact_graph(graph, _keys(recipe), asked.context)
    original = _teacher(graph, asked)
    samples, evaluation = _read(asked.train, graph), None if asked.data is None else _read(asked.data, graph)
    batches = split(samples, graph, recipe.batch, asked.seed, recipe.augmentation)
    calibration = batches.training.subset(CALIBRATION)
    if recipe.structure:
        graph = _restructured(graph, asked, calibration)
    require_trainable(graph)
    evidence = Evidence(graph, calibration, statistics, asked.target.signed_bytes)
    quantize = Quantize().open(evidence, _keys(recipe)["quantize"]) if recipe.forms else None
    layers = layers_of(graph)
    layers.planner = None if quantize is None else lambda made: _plan(made, recipe, quantize)
    steps = max(1, round(recipe.epochs * batches.steps_an_epoch))
    task = _task(graph, original, batches, recipe)
    train(recipe.phases, layers, task, steps, _store(asked, layers, original, batches), asked.listener)
    found = outcome.solved(layers, quantize)
    if evaluation is not None and (count := seen_before(evaluation, samples)):
        shown = f"{count} of {len(evaluation)} samples to measure on are among those trained on"
        add_note(graph, f"{shown}: the result says too much")
    measured, level = evaluation or batches.held_out, asked.context.level
    return graph, outcome.decided(layers, original, found, measured, asked.target, level, recipe.name)


def _teacher(graph: Graph, asked: Asked) -> Graph:
    """The network that is followed: the model itself as it is, or another one with the same inputs and outputs.

    Raises EdgeoptError when these differ.
    """
    if asked.teacher is None:
        return clone(graph)
    teacher, _ = exact_graph(asked.teacher, ANY_OPSET, asked.context)
    for mine, other in ((graph.inputs, teacher.inputs), (graph.outputs, teacher.outputs)):
        if [(v.name, v.type) for v in mine] != [(v.name, v.type) for v in other]:
            shown = ", ".join(f"'{v.name}' {v.type}" for v in other)
            raise EdgeoptError(f"the teacher has {shown}; the model has {', '.join(repr(v.name) + f' {v.type}' for v in mine)}")
    return teacher


def _restructured(graph: Graph, asked: Asked, calibration: DataSet) -> Graph:
    """``graph`` with its layers replaced as the recipe says, fitted on calibration data."""
    keys = {name: [key] for name, key in wanted(asked.recipe.structure).items()}
    sessions = opened(Evidence(graph, calibration), keys)
    if not sessions:
        raise EdgeoptError(f"graph '{graph.name}' has no layer for the structure '{asked.recipe.structure}'")
    space = Space(graph, Goal(asked.target, asked.context.level), sessions)
    return space.carried_out(space.solve(space.first()))


def _keys(recipe: TrainingRecipe) -> dict[str, list[str]]:
    """The forms that are needed, by technique: what the opset has to have."""
    forms = list(dict.fromkeys([form for _, form in recipe.forms] + ([recipe.ends] if recipe.ends else [])))
    return {"quantize": forms} if forms else ANY_OPSET


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


def _task(graph: Graph, original: Graph, batches: Batches, recipe: TrainingRecipe) -> Task:
    """The original network's values are computed once, where inputs do not change."""
    loss, followed = (loss_of(g, batches.training, recipe.teacher) for g in (graph, original))
    teacher = None if batches.augmentation else values(original, followed.value, batches.training)
    return Task(original, followed.value, batches, loss, teacher)


def _store(asked: Asked, layers: Layers, original: Graph, batches: Batches) -> Store | None:
    if asked.checkpoints is None:
        return None
    arrays = [*layers.constants.values(), *starting(original).values(), *batches.training.arrays.values()]
    name = identity([asked.recipe, asked.seed, *arrays, *batches.held_out.arrays.values(), batches.training.labels])
    return Store(asked.checkpoints, name, SAVE_SECONDS)
