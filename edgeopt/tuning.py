"""``edgeopt.tune``: training of a network in the forms it will have, where what is found without gradients loses too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx import ModelProto

from edgeopt import arguments
from edgeopt.codegen.backends import find_backend
from edgeopt.compiler import finished, source_bytes_of, source_digest_of, symbol_of
from edgeopt.evaluate.data import DataSet
from edgeopt.files import refuse_place
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.options import Options
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.run import carried_out
from edgeopt.search.samples import Data
from edgeopt.search.stored import constants_size
from edgeopt.search.stored import record as stored_record
from edgeopt.target import Target
from edgeopt.target import target as find_target
from edgeopt.training.extra import require_extra

if TYPE_CHECKING:
    from edgeopt.training.asked import Trained
    from edgeopt.training.recipe import TrainingRecipe
    from edgeopt.training.train import Listener

DEFAULT = "finetune"


@arguments.known_keywords()
def tune(
    model: str | Path | ModelProto | Graph,
    train: Data,
    recipe: str | Path = DEFAULT,
    *,
    data: Data | None = None,
    level: int = 1,
    target: str | Target = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    epochs: float | None = None,
    batch: int | None = None,
    seed: int = 0,
    checkpoints: str | Path | None = None,
    listener: Listener | None = None,
    teacher: str | Path | ModelProto | Graph | None = None,
    minutes: float | None = None,
    backend: str = "numba",
) -> CompiledModel:
    """Train ``model`` on ``train`` as ``recipe`` says, and compile what comes out for ``target``.

    ``recipe`` names one that is shipped, or a TOML file. Labels in ``train`` are followed beside the outputs of the model;
    without any, these alone are. A tenth of the samples is held out. ``data`` is for measuring alone. ``epochs`` and
    ``batch`` stand in for those of the recipe, which then has no least number of steps; ``minutes`` lets there be fewer
    epochs, as many as fit at the pace of the first steps, and bounds the steps alone. In ``checkpoints`` a training that was
    stopped is gone on with, to the same numbers. ``listener`` is told of steps. ``teacher`` is a network that is followed in
    place of the model itself, with the same inputs and outputs, as where the model is a smaller student. ``backend`` makes
    the code of the result, as in ``edgeopt.Options``.
    Raises EdgeoptError for data that does not fit, a graph that cannot be trained, and without the extra ``edgeopt[tune]``.
    """
    options = Options(backend=backend)
    find_backend(backend)  # before the work, not after it
    require_extra()
    from edgeopt.training.asked import Asked
    from edgeopt.training.leaving import with_exits
    from edgeopt.training.recipe import read_recipe
    from edgeopt.training.session import note_few_steps, trained

    arguments.whole("level", level, 1, 3)
    arguments.whole("seed", seed, 0)
    _check(epochs, batch, minutes, checkpoints)
    for name, source in (("train", train), *([] if data is None else [("data", data)])):
        arguments.instance(name, source, (str, Path, DataSet))
    arguments.instance("recipe", recipe, (str, Path))
    facts = target if isinstance(target, Target) else find_target(target)
    context = Context(level=level)
    graph = model if isinstance(model, Graph) else load(model, shapes, None, None)
    size = constants_size(graph)
    wanted = read_recipe(recipe)
    steps = wanted.steps if epochs is None and batch is None else 0
    wanted = replace(wanted, epochs=wanted.epochs if epochs is None else epochs, batch=batch or wanted.batch, steps=steps)
    followed = teacher if teacher is None or isinstance(teacher, Graph) else load(teacher, shapes, None, None)
    folder = None if checkpoints is None else Path(checkpoints)
    asked = Asked(wanted, train, data, facts, context, seed, folder, listener, followed, minutes)
    done = trained(graph, asked)
    if epochs is None and batch is None:
        note_few_steps(wanted, done)
    graph, found = done.graph, done.found
    result = carried_out(graph, found, context)
    if wanted.exits:
        result, found = with_exits(result, done, asked)
    made = finished(result, found, facts, level, context, options, symbol_of(model))
    made.manifest["training"] = _about(wanted, done, seed)
    digest = source_digest_of(model) if teacher is None else None  # of what the loss counts from, for ``verify``
    made.manifest |= {"source_bytes": source_bytes_of(model), "source_digest": digest}
    made.manifest["compression"] = stored_record(found.stored, result, found.scheme, size)
    return made


def _check(epochs: object, batch: object, minutes: object, checkpoints: object) -> None:
    """Raise EdgeoptError for numbers of which there is no training, and a place that cannot be written."""
    for name, value in (("epochs", epochs), ("minutes", minutes)):
        if value is not None:
            arguments.positive(name, value)
    if batch is not None:
        arguments.whole("batch", batch, 1)
    arguments.instance("checkpoints", checkpoints, (Path, str, type(None)))
    if isinstance(checkpoints, (Path, str)):
        refuse_place(Path(checkpoints), folder=True)


def _about(recipe: TrainingRecipe, done: Trained, seed: int) -> dict[str, Any]:
    """How the network was trained, for whoever wants the same one again."""
    batches = done.batches
    counts = {"trained_on": len(batches.training), "held_out": len(batches.held_out)}
    phases = [asdict(phase) for phase in done.phases]
    return {"recipe": recipe.name, "seed": seed, "steps": done.steps, "phases": phases, "batch": batches.batch, **counts}
