"""Many runs of one graph with a change each: what lies in front of a change is computed once for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.judge import by_samples, judged
from edgeopt.evaluate.observe import Overlay, at_once, batch_size, execute, fed, last_readers, reads, rounded
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.ir import Array, Graph, Node

Environment = dict[str, Array]


def outputs_of_each(graph: Graph, data: DataSet, overlays: Sequence[Overlay]) -> list[Array]:
    """``edgeopt.evaluate.judge.outputs`` for each of ``overlays``, bit for bit."""
    name, data = judged(graph, data), fitted(data, graph)
    starts, step = [_start(graph, overlay) for overlay in overlays], batch_size(graph) if at_once(graph) else 1
    last = last_readers(graph)

    def batch(first: int) -> list[Array]:
        part = data.take(slice(first, first + step))
        exact, calls = Overlay(), len(part)
        environment = {v.name: v.array for v in graph.constants if v.name == name}
        environment |= {v.name: fed(v, part.arrays[v.name], exact, calls) for v in graph.inputs}
        results: dict[int, Array] = {}
        for at, node in enumerate([*graph.nodes, None]):
            for index in (i for i, start in enumerate(starts) if start == at):
                changed = _changed(environment, overlays[index])
                _walk(graph.nodes[at:], changed, overlays[index], calls, last, name)
                results[index] = np.atleast_1d(changed[name])
            if node is not None:
                _walk([node], environment, exact, calls, last, name)
        return [results[index] for index in range(len(overlays))]

    batches = list(side_by_side(batch, range(0, len(data), step)))
    return [by_samples(np.concatenate(parts), data) for parts in zip(*batches, strict=True)]


def _start(graph: Graph, overlay: Overlay) -> int:
    """The first node that reads anything else; the number of nodes where none does."""
    changed = {name for name, _ in overlay.constants}
    found = (at for at, n in enumerate(graph.nodes) if n.name in changed or overlay.quantizers.keys() & set(reads(n)))
    return next(found, len(graph.nodes))


def _changed(environment: Environment, overlay: Overlay) -> Environment:
    """A copy in which the values that are there are rounded as in a run with ``overlay`` from the beginning."""
    return {name: rounded(name, array, overlay) for name, array in environment.items()}


def _walk(
    nodes: Sequence[Node], environment: Environment, overlay: Overlay, calls: int, last: dict[Node, list[str]], kept: str
) -> None:
    for node in nodes:
        execute(node, environment, overlay, calls)
        for name in last.get(node, ()):
            if name != kept:
                del environment[name]
