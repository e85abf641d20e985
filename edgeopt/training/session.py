"""From a model, data and a recipe to a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet, admit, read
from edgeopt.forms.form import Evidence
from edgeopt.forms.registry import wanted
from edgeopt.frontend import export
from edgeopt.frontend.notes import add_note
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ir.match import shape_of
from edgeopt.search.goal import Goal
from edgeopt.search.layer_names import fits as fits_name
from edgeopt.search.samples import Data
from edgeopt.search.sketch import exact_graph, opened
from edgeopt.search.space import Space
from edgeopt.search.timing import layer_name
from edgeopt.training import outcome
from edgeopt.training.allocation import freed_memory_kept
from edgeopt.training.asked import Asked, Trained
from edgeopt.training.batches import Batches, split
from edgeopt.training.checkpoint import Store, identity
from edgeopt.training.forward import values
from edgeopt.training.layers import Layers, layers_of
from edgeopt.training.loop import Task
from edgeopt.training.losses import loss_of
from edgeopt.training.memory import fitting
from edgeopt.training.network import require_trainable
from edgeopt.training.phases.prune import PATTERNS, Prune
from edgeopt.training.phases.share import Share
from edgeopt.training.planned import ANY_OPSET, Planner, keys_of
from edgeopt.training.recipe import TrainingRecipe
from edgeopt.training.seen_before import seen_before
from edgeopt.training.selection import fits
from edgeopt.training.train import Ended, train

FEW = 1000  # samples to train on, below which that is said
STEPS = 600  # that shipped recipes have at least where there are few samples
CALIBRATION = 128  # samples, on which grids start and structures are fitted; training makes up for the rest
SAVE_SECONDS = 20.0
MOST_STEPS = 1 << 31  # never ends; --minutes may ask for any number of epochs


def trained(graph: Graph, asked: Asked) -> Trained:
    """The exact graph that was trained from, and what became of its layers."""
    recipe = asked.recipe
    graph, statistics = exact_graph(graph, keys_of(recipe), asked.context)
    original = _teacher(graph, asked)
    samples, evaluation = _read(asked.train, graph), None if asked.data is None else _read(asked.data, graph)
    require_trainable(graph)
    batches = split(samples, graph, fitting(graph, recipe.batch), asked.seed, recipe.augmentation, recipe.steps > 0)
    calibration = batches.training.subset(CALIBRATION)
    if recipe.structure:
        graph = _restructured(graph, asked, calibration)
    evidence = Evidence(graph, calibration, statistics, asked.target.signed_bytes)
    layers = layers_of(graph)
    planner = layers.planner = Planner(recipe, evidence) if recipe.forms else None
    phases = _trained(layers, original, batches, asked)
    found = outcome.solved(layers, planner)
    _note_known(graph, evaluation, samples)
    _note_few(graph, batches, evaluation is None)
    measured, level = evaluation or batches.held_out, asked.context.level
    decision = outcome.decided(layers, original, found, measured, asked.target, level, recipe.name)
    return Trained(graph, decision, original, batches, evaluation, phases)


def _trained(layers: Layers, original: Graph, batches: Batches, asked: Asked) -> tuple[Ended, ...]:
    """Train the layers; in how many steps."""
    if not asked.recipe.phases:
        return ()
    _require_layers(asked.recipe, layers)
    steps = max(1, asked.recipe.steps, round(min(asked.recipe.epochs * batches.steps_an_epoch, MOST_STEPS)))
    task, store = _task(layers.graph, original, batches, asked.recipe), _store(asked, layers, original, batches)
    with freed_memory_kept():
        ended = train(asked.recipe.phases, layers, task, steps, store, asked.listener, asked.minutes)
    _note_ended(layers.graph, ended, asked.recipe.patience)
    return ended


def _require_layers(recipe: TrainingRecipe, layers: Layers) -> None:
    """Raises EdgeoptError where forms are for no layer, or a phase prunes in units that fit into none."""
    names = [layer_name(node) for node in layers.nodes]
    if recipe.forms and not any(recipe.form(name) for name in names):
        raise EdgeoptError(f"recipe '{recipe.name}': [forms] fits no layer; there are {', '.join(names)}")
    for phase in recipe.phases:
        if isinstance(phase, Share) and not any(fits_name(pattern, name) for pattern, _ in phase.bits for name in names):
            raise EdgeoptError(f"recipe '{recipe.name}': bits fit no layer; there are {', '.join(names)}")
        if isinstance(phase, Prune) and not any(fits(node, PATTERNS[phase.pattern]) for node in layers.nodes):
            text = f"graph '{layers.graph.name}' has no layer large enough for the pattern '{phase.pattern}'"
            raise EdgeoptError(f"{text} of recipe '{recipe.name}'; prune its weights one by one")


def _note_ended(graph: Graph, ended: Sequence[Ended], patience: int) -> None:
    """Say so where a phase had no use for all of its steps."""
    for one in ended:
        if one.done < one.steps:
            looks = "one look at held-out samples" if patience == 1 else f"{patience} looks at held-out samples in a row"
            seen = f"{looks} saw nothing better (patience in a recipe)"
            add_note(graph, f"phase '{one.phase}' ended at step {one.done} of {one.steps}: {seen}")


def _note_known(graph: Graph, evaluation: DataSet | None, samples: DataSet) -> None:
    """Say so where what is measured on was trained on."""
    if evaluation is not None and (count := seen_before(evaluation, samples)):
        shown = f"{count} of {len(evaluation)} samples to measure on are among those trained on"
        add_note(graph, f"{shown}: the result says too much")


def _note_few(graph: Graph, batches: Batches, alone: bool) -> None:
    """Say so where there is little to learn from, or to decide by; ``alone``, nothing else is measured on."""
    if (count := len(batches.training)) < FEW:
        held = f"the {len(batches.held_out)} held out decide little" + ("; --data F.npz tells more" if alone else "")
        add_note(graph, f"{count} samples are few to train on: a network gets used to them, and {held}")


def note_few_steps(recipe: TrainingRecipe, done: Trained) -> None:
    """Say so where few samples make few steps, since the recipe has no least number of them."""
    samples = len(done.batches.training)
    if not recipe.steps and 0 < done.steps < STEPS and samples < FEW:
        more = f"steps = {STEPS} in the recipe makes more of them, of smaller batches"
        add_note(done.graph, f"{recipe.epochs:g} epochs of {samples} samples are {done.steps} steps; {more}")


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
        what = f"graph '{graph.name}' has no layer for the structure '{asked.recipe.structure}'"
        raise EdgeoptError(f"{what}; name another structure, or a recipe without one")
    space = Space(graph, Goal(asked.target, asked.context.level), sessions)
    made = space.carried_out(space.solve(space.first()))
    if _shape_of(made) == _shape_of(graph):
        what = f"no layer of graph '{graph.name}' is large enough for the structure '{asked.recipe.structure}' to replace it"
        raise EdgeoptError(f"{what}; name another structure, or a recipe without one")
    return made


def _shape_of(graph: Graph) -> list[tuple[str, list[tuple[int, ...] | None]]]:
    """Operators with the shapes of their constants."""
    return [(node.op, [shape_of(v) for v in node.inputs if v is not None and v.is_constant]) for node in graph.nodes]


def _read(source: Data, graph: Graph) -> DataSet:
    return read(source, graph) if isinstance(source, (str, Path)) else admit(source, graph)


def _task(graph: Graph, original: Graph, batches: Batches, recipe: TrainingRecipe) -> Task:
    """The original network's values are computed once, where inputs do not change."""
    loss, followed = (loss_of(g, batches.training, recipe.teacher) for g in (graph, original))
    teacher = None if batches.augmentation.changes else values(original, followed.names, batches.training)
    return Task(original, followed.names, batches, loss, teacher, recipe.patience)


def _store(asked: Asked, layers: Layers, original: Graph, batches: Batches) -> Store | None:
    if asked.checkpoints is None:
        return None
    recipe = replace(asked.recipe, batch=batches.batch)
    networks = [export(graph).SerializeToString(deterministic=True) for graph in (layers.graph, original)]
    samples = [*batches.training.arrays.values(), *batches.held_out.arrays.values(), batches.training.labels]
    name = identity([recipe, asked.seed, *networks, *samples])
    return Store(asked.checkpoints, name, SAVE_SECONDS)
