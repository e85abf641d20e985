"""Several runs of one graph on the same samples, stopped in front of one node after the other.

What is still needed of each batch waits in a Store meanwhile, so the number of samples is not bound by memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay, batch_size, execute, rounded
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.evaluate.spill import Store, Stored
from edgeopt.ir import Array, Graph, Node

Result = TypeVar("Result")
Waiting = dict[str, Stored]


class Lockstep:
    """One run of ``graph`` on ``data`` for each of ``overlays``, which the caller may change ahead of the runs.

    ``graph`` must keep its samples apart (``observe.is_samplewise``).
    """

    def __init__(self, graph: Graph, data: DataSet, overlays: Sequence[Overlay]) -> None:
        self._graph, self._data, self._overlays = graph, data, overlays
        self._step = batch_size(graph)
        self._starts = range(0, len(data), self._step)
        self._waiting: list[list[Waiting]] = [[{} for _ in overlays] for _ in self._starts]
        self._position = 0
        self._index = {node: i for i, node in enumerate(graph.nodes)}
        self._last = {v.name: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}

    def __enter__(self) -> Lockstep:
        self._store = Store()
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def reach(self, node: Node, visit: Callable[[int, list[Array]], Result]) -> Iterator[Result]:
        """Run everything in front of ``node``, then call ``visit`` with what it reads first in each run, batch by batch.

        ``visit`` gets the index of the batch and one array for each run, and may run on any thread. Its results come in order.
        """
        source, end = node.input(0), self._index[node]
        assert source is not None
        nodes, self._position = self._graph.nodes[self._position : end], end

        def batch(index: int) -> Result:
            runs = [self._advance(index, run, nodes, end, source.name) for run in range(len(self._overlays))]
            return visit(index, runs)

        yield from side_by_side(batch, range(len(self._starts)))

    def _advance(self, index: int, run: int, nodes: Sequence[Node], end: int, wanted: str) -> Array:
        waiting, overlay = self._waiting[index][run], self._overlays[run]
        reads = {v.name for n in nodes for v in n.inputs if v is not None and not v.is_constant} | {wanted}
        made = {o.name for n in nodes for o in n.outputs}
        environment = {name: self._load(name, index, waiting, overlay) for name in reads - made}
        for position, node in enumerate(nodes, end - len(nodes)):
            execute(node, environment, overlay)
            for value in node.inputs:
                if value is not None and self._last[value.name] <= position and value.name != wanted:
                    environment.pop(value.name, None)
        for name in [name for name in waiting if self._last[name] < end]:
            self._store.free(waiting.pop(name))
        for name, array in environment.items():
            if name in made and self._last.get(name, -1) >= end:
                waiting[name] = self._store.put(array, overlay.quantizers.get(name))
        return environment[wanted]

    def _load(self, name: str, index: int, waiting: Waiting, overlay: Overlay) -> Array:
        if name in waiting:
            return self._store.get(waiting[name])
        start = self._starts[index]
        return rounded(name, np.asarray(self._data.arrays[name][start : start + self._step]), overlay)
