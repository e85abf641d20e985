"""One walk through the network for all techniques that change weights layer after layer.

Techniques on several axes change the same layers (their zeros, then their values). In one walk each layer gets its inputs from
layers that have all their changes already, and what inputs look like is found once for all techniques.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.form import Form
from edgeopt.forms.moments import Moments, MomentSum, Part, Response, columns, grouped, sampled_rows
from edgeopt.forms.responses import Responses
from edgeopt.forms.seen import Changed, Seen, with_moments, without_moments
from edgeopt.ir import Array, Node
from edgeopt.ops.grids import linear_nodes

if TYPE_CHECKING:
    from edgeopt.forms.sequential import Sequential

SAMPLES = 512
MOST_COLUMNS = 4608  # of a weight whose second moments are taken
Asked = tuple["Sequential", Mapping[str, Form]]  # a session, and the forms that its layers shall have
Step = tuple[Changed | None, ...]  # what each session made of one layer


def walk(asked: Sequence[Asked], under: Overlay) -> list[dict[str, Changed]]:
    """What each session, in the order of the axes, makes of its layers, for the inputs that changed layers before them give.

    ``under`` is what techniques did that came before all of them. All sessions have the same evidence, with calibration data.
    Steps are known by the forms of the layer and of all before it, so that a repair solves again only what it changes.
    """
    sessions, evidence = [session for session, _ in asked], asked[0][0].evidence
    assert evidence.calibration is not None
    data, run = evidence.calibration.subset(SAMPLES), copied(under)
    nodes = [n for n in linear_nodes(evidence.graph) if any(n.name in forms for _, forms in asked)]
    prepare(sessions, nodes, data)
    known, responses = sessions[0].steps, sessions[0].responses
    history: tuple[object, ...] = (sessions[0].name_of(under),)
    made: list[dict[str, Changed]] = [{} for _ in sessions]
    exact = [] if all(responses.of(n.name) for n in nodes if columns(n) <= MOST_COLUMNS) else [Overlay()]
    with Lockstep(evidence.graph, data, [*exact, run]) as runs:
        for node in nodes:
            forms = [forms.get(node.name) for _, forms in asked]
            history = (*history, node.name, *forms)
            if history not in known:
                known[history] = _step(sessions, forms, _seen(node, runs, responses, len(data), under))
            for found, changed in zip(made, known[history], strict=True):
                if changed is not None:
                    found[node.name] = changed
                    override(run, node, changed)
    return made


def prepare(sessions: Sequence[Sequential], nodes: Sequence[Node], data: DataSet) -> None:
    """One run of the exact network for the layers of which a session knows nothing yet."""
    graph, responses = sessions[0].evidence.graph, sessions[0].responses
    wanted = [n for n in nodes if columns(n) <= MOST_COLUMNS and any(n.name not in s.prepared for s in sessions)]
    with Lockstep(graph, data, [Overlay()]) as runs:
        for node in wanted:
            seen = with_moments(node, _moments(node, runs, responses, len(data), cross=False), Overlay())
            for session in sessions:
                session.prepare(seen)


def _seen(node: Node, runs: Lockstep, responses: Responses, samples: int, under: Overlay) -> Seen:
    if columns(node) > MOST_COLUMNS:
        return without_moments(node, under)
    return with_moments(node, _moments(node, runs, responses, samples, cross=True), under)


def _step(sessions: Sequence[Sequential], forms: Sequence[Form | None], seen: Seen) -> Step:
    """What each session makes of a layer as those before left it."""
    made: list[Changed | None] = []
    for session, form in zip(sessions, forms, strict=True):
        changed = None if form is None else session.changed(seen, form.key)
        if changed is not None:
            rows = grouped(seen.node, changed.weight)
            target = seen.target if changed.grid is None and seen.h is not None else rows
            seen = replace(seen, present=rows, target=target, grid=changed.grid)
        made.append(changed)
    return tuple(made)


def _moments(node: Node, runs: Lockstep, responses: Responses, samples: int, cross: bool) -> Moments:
    """Those of what the last run gives to ``node``; the reference is what is known of the exact network, or the first run."""
    weight = node.constant(1)
    assert weight is not None
    total, known = MomentSum(cross, grouped(node, weight)), responses.of(node.name)

    def part(batch: int, arrays: list[Array]) -> tuple[Part, Response]:
        rows = sampled_rows(node, arrays if known is None else arrays[-1:], samples, batch)
        response = total.response(rows[0]) if known is None else known[batch]
        return total.part(rows[-1], response), response

    for taken, response in runs.reach(node, part):
        total.take(taken)
        responses.add(node.name, response)
    responses.complete(node.name)
    return total.result()


def copied(overlay: Overlay) -> Overlay:
    """Another one, which can be changed."""
    return Overlay(dict(overlay.constants), dict(overlay.quantizers), dict(overlay.grids))


def override(run: Overlay, node: Node, made: Changed) -> None:
    """Let ``run`` compute with a changed layer."""
    run.constants[node.name, 1] = made.weight
    if made.grid is not None:
        run.grids[node.name, 1] = made.grid
    if made.bias is not None:
        run.constants[node.name, 2] = made.bias
