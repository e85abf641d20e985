"""A model with early exits, compiled, and what it gains in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, read_pair
from edgeopt.examine.latency import latencies
from edgeopt.forms.exit.carried_out import insert
from edgeopt.forms.exit.fitted import MARGIN, Exits, fit_exits, halves
from edgeopt.forms.exit.threshold import Goal
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.pipeline import finish, finished, optimize
from edgeopt.rewrite import Context
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import Target
from edgeopt.target import target as find_target

WITHIN_A_POINT = Goal()
TIMED, SINGLE, ROUNDS = 500, 50, 5  # samples of a mean, of percentiles


def with_exits(
    model: str | Path | Graph,
    data: str | Path | DataSet,
    calibration: str | Path | DataSet | None = None,
    goal: Goal = WITHIN_A_POINT,
    level: int = 1,
    target: str | Target = "host",
    shapes: Mapping[str, Sequence[int]] | None = None,
    confidence: str = MARGIN,
) -> tuple[Exits | None, CompiledModel | None]:
    """Exits within ``goal``, and the model compiled with them; None twice where no exit saves anything.

    Heads are fitted on ``calibration`` (half of ``data`` when it is left out). Where the target runs here, the manifest has the
    ``exit_latency`` of the ``plain`` model and the one ``with_exits``, on samples that chose nothing. Raises EdgeoptError as
    ``fit_exits`` does.
    """
    facts = target if isinstance(target, Target) else find_target(target)
    graph = model if isinstance(model, Graph) else load(model, shapes)
    context = Context(level=level)
    optimize(graph, level, context)
    first, second = read_pair(data, calibration, graph)
    found = fit_exits(graph, first, second, goal, confidence=confidence)
    if found is None:
        return None, None
    plain = finished(graph, level)
    insert(graph, found.exits, context)
    optimize(graph, level, context)
    finish(graph, context)
    made = assemble(graph, facts, level, context, library=not facts.runs_here)
    made.manifest["exits"] = sorted([point.macs, point.loss, point.bound] for point in found.curve)
    if facts.runs_here:
        samples = second.take(halves(len(second))[1]).subset(TIMED)
        before, after = latencies((assemble(plain, facts, level), made), samples, SINGLE, ROUNDS)
        made.manifest["exit_latency"] = {"plain": asdict(before), "with_exits": asdict(after)}
    return found, made
