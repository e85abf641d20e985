"""A model with early exits, compiled, and what it gains in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, find_backend
from edgeopt.evaluate.chance import check_reference
from edgeopt.evaluate.data import HEADS, DataSet, read_pair
from edgeopt.evaluate.judge import outputs
from edgeopt.forms.exit.carried_out import insert
from edgeopt.forms.exit.fitted import MARGIN, Exits, fit_exits
from edgeopt.forms.exit.record import record
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.pipeline import finish, finished, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.latency import timed
from edgeopt.target import Target
from edgeopt.target import target as find_target

WITHIN_A_POINT = Goal()


def with_exits(
    model: str | Path | Graph,
    data: str | Path | DataSet,
    calibration: str | Path | DataSet | None = None,
    goal: Goal = WITHIN_A_POINT,
    level: int = 1,
    target: str | Target = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    confidence: str = MARGIN,
    accept_chance: bool = False,
    backend: str = NUMBA.name,
) -> tuple[Exits | None, CompiledModel | None]:
    """Exits within ``goal``, and the model compiled with them; None twice where no exit saves anything.

    Heads are fitted on ``calibration`` (half of ``data`` when it is left out). Where the target runs here, the manifest has among
    its ``exits`` the ``latency`` of the ``plain`` model and the one ``with_exits``, on samples that chose nothing; both have the
    code of ``backend``. Raises EdgeoptError as ``fit_exits`` does, and, unless ``accept_chance``, for a network that is right no
    more often than guessing.
    """
    maker = find_backend(backend)  # before the work, not after it
    facts = target if isinstance(target, Target) else find_target(target)
    graph = model if isinstance(model, Graph) else load(model, shapes)
    context = Context(level=level)
    optimize(graph, level, context)
    first, second = read_pair(data, calibration, graph, HEADS)
    check_reference(outputs(graph, second), second.labels, accept_chance)
    found = fit_exits(graph, first, second, goal, confidence=confidence)
    if found is None:
        return None, None
    plain = finished(graph, level)
    insert(graph, found.exits, context)
    optimize(graph, level, context)
    finish(graph, context)
    made = assemble(graph, facts, level, context, library=not facts.runs_here, backend=maker)
    latency = None
    if facts.runs_here:
        latency = timed(assemble(plain, facts, level, backend=maker), made, second.take(found.reporting))
    made.manifest["exits"] = {**record(found), "latency": latency}
    made.manifest["source_file"] = Path(model).name if isinstance(model, (str, Path)) else None
    return found, made
