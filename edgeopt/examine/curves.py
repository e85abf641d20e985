"""How sensitive each layer is: what each form of a technique saves and costs there, which is what a search allocates by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import HEADS, DataSet, admit, generated, read
from edgeopt.forms.form import Evidence, named
from edgeopt.forms.registry import leaving, techniques, wanted
from edgeopt.frontend import load
from edgeopt.ir import Graph
from edgeopt.rewrite import Context
from edgeopt.search.budget import ladder
from edgeopt.search.candidates import candidates
from edgeopt.search.goal import Goal
from edgeopt.search.samples import Data
from edgeopt.search.sketch import exact_graph, opened
from edgeopt.search.space import Space
from edgeopt.search.timing import layer_name
from edgeopt.target import host


@dataclass(frozen=True)
class Point:
    """One form of one layer: the bytes its weight takes, coded, and what it alone does to the output of the network

    (``edgeopt.evaluate.metrics.divergence``); of an exit the share of samples that its head gets wrong. ``step`` is the number of
    steps after which a search would have come here on its way from the first forms to the exact network; None for the first
    form, for an exit, and for what lies above the convex hull.
    """

    layer: str
    form: str
    bytes: int
    error: float
    step: int | None = None


def curves(
    model: str | Path, forms: str, data: Data | None = None, *, shapes: Mapping[str, Sequence[int]] | None = None
) -> list[Point]:
    """The sensitivity of each layer of the ONNX file ``model`` to ``forms``: names of techniques or single forms, with commas.

    ``data`` calibrates and judges; without, generated inputs do. Raises EdgeoptError for wrong arguments and data, and for a
    model in which nothing can take the forms.
    """
    arguments.instance("model", model, (str, Path))
    arguments.shapes(shapes)
    first = wanted(forms)
    keys = {name: [key, *techniques()[name].finer(key)] for name, key in first.items()}
    graph, statistics = exact_graph(load(model, shapes), keys, Context())
    given = generated(graph) if data is None else read(data, graph) if isinstance(data, (str, Path)) else admit(data, graph)
    sessions = opened(Evidence(graph, given, statistics, host().signed_bytes), keys)
    if not sessions:
        raise EdgeoptError(f"graph '{graph.name}' cannot be {techniques()[next(iter(first))].done}: no layer can take {forms}")
    if last := leaving(first)[0]:
        return _heads(graph, given, last, len(first) > 1)
    return list(_points(Space(graph, Goal(host(), 1), sessions)))


def _heads(graph: Graph, data: DataSet, last: Mapping[str, str], others: bool) -> list[Point]:
    """Heads at all places where the network can be left, with what each gets wrong of the samples held out of its fit."""
    ((name, key),) = last.items()
    if others:
        raise EdgeoptError(f"{name} says where a network is left, not what layers become; ask for it without other forms")
    calibrating, judging = data.split(part=HEADS)
    session = techniques()[name].open(Evidence(graph, calibrating, data=judging), [key])
    solution = session.alone({place: forms[0] for place, forms in session.offers().items()})
    errors, sizes = session.errors(solution), session.sizes(solution)
    return [Point(layer_name(place), key, sizes[place], errors[place]) for place in errors]


def _points(space: Space) -> Iterator[Point]:
    known = candidates(space)
    order = {(step.layer, step.form): at for at, step in enumerate(ladder(space.first(), known), 1)}
    for layer in space.layers:
        for one in (c for c in known if c.layer == layer):
            yield Point(layer_name(layer), named(one.form), int(one.cost), one.error, order.get((layer, one.form)))
