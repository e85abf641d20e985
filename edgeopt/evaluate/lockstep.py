"""Several runs of one graph on the same samples, stopped in front of one node after the other.

What is still needed of each batch waits in a Store meanwhile, so the number of samples is not bound by memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.observe import Overlay, batch_size, execute, fed, reads
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.evaluate.spill import Store, Stored
from edgeopt.ir import Array, Graph, Node

Result = TypeVar("Result")
Waiting = dict[str, Stored]


class Lockstep:
    """One run of ``graph`` on ``data`` for each of ``overlays``, which the caller may change ahead of the runs."""

    def __init__(self, graph: Graph, data: DataSet, overlays: Sequence[Overlay]) -> None:
        self._graph, self._data, self._overlays = graph, fitted(data, graph), overlays
        self._step = batch_size(graph)
        self._starts = range(0, len(data), self._step)
        self._waiting: list[list[Waiting]] = [[{} for _ in overlays] for _ in self._starts]
        self._position = 0
        self._index = {node: i for i, node in enumerate(graph.nodes)}
        self._last = {name: i for i, node in enumerate(graph.nodes) for name in reads(node)}
        self._inputs = {v.name: v for v in graph.inputs}

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
        needed = {name for n in nodes for name in reads(n)} | {wanted}
        made = {o.name for n in nodes for o in n.outputs}
        environment = {name: self._load(name, index, waiting, overlay) for name in needed - made}
        calls = min(self._step, len(self._data) - self._starts[index])
        for position, node in enumerate(nodes, end - len(nodes)):
            execute(node, environment, overlay, calls)
            for name in reads(node):
                if self._last[name] <= position and name != wanted:
                    environment.pop(name, None)
        for name in [name for name in waiting if self._last[name] < end]:
            self._store.free(waiting.pop(name))
        for name, array in environment.items():
            if name in made and self._last.get(name, -1) >= end:
                waiting[name] = self._store.put(array, overlay.quantizers.get(name))
        return environment[wanted]

    def _load(self, name: str, index: int, waiting: Waiting, overlay: Overlay) -> Array:
        if name in waiting:
            return self._store.get(waiting[name])
        part = self._data.take(slice(self._starts[index], self._starts[index] + self._step))
        return fed(self._inputs[name], part.arrays[name], overlay, len(part))
