"""The least sum of a placement on ordered tiers as a minimum cut, found by maximum flow: another way than the integer program.

A node (s, k) on the source's side says that stage s runs at link k or nearer. What is paid when it is there is an edge to the
sink, what is paid when it is not one from the source; what must not be has no end. A tensor is a node that its producer reaches
for its price, and that needs all its consumers. A round trip is paid when any stage that needs the input is beyond the link.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from edgeopt.partition.network import INPUT, Network, Tensor
from edgeopt.partition.prices import Rates

SOURCE, SINK = 0, 1
ENDLESS, UNITS = 2**31 - 1, 2**30  # capacities are 32-bit integers; the price of a known placement has so many units


class _Flow:
    """Edges, and the part of the price that no cut changes."""

    def __init__(self, nodes: int) -> None:
        self.nodes, self.constant = nodes, 0.0
        self._edges: dict[tuple[int, int], float] = {}

    def node(self) -> int:
        """A new one."""
        self.nodes += 1
        return self.nodes - 1

    def edge(self, start: int, end: int, price: float = np.inf) -> None:
        """``price`` is paid when ``start`` is on the source's side and ``end`` is not; infinite: that must not be."""
        self._edges[start, end] = self._edges.get((start, end), 0.0) + price

    def paid(self, node: int, price: float) -> None:
        """``price``, which may be negative, is paid when ``node`` is on the source's side."""
        if price >= 0:
            self.edge(node, SINK, price)
        else:
            self.edge(SOURCE, node, -price)
            self.constant += price

    def least(self, known: float) -> float:
        """The price of the minimum cut, which is at most ``known``; exact to about a millionth of that."""
        unit = (known - self.constant) / UNITS or 1.0
        ends = np.array(list(self._edges))
        sizes = [ENDLESS if price / unit > ENDLESS else round(price / unit) for price in self._edges.values()]
        graph = csr_array((np.array(sizes, np.int32), ends.T), shape=(self.nodes, self.nodes))
        return float(self.constant + unit * maximum_flow(graph, SOURCE, SINK).flow_value)


def least_sum(made: Network, rates: Rates, known: float) -> float:
    """The least sum of ``rates`` over all placements of ``made``; ``known`` is that of some placement.

    Raises ValueError for a network with stages that do not need its input, which this does not price.
    """
    links = len(rates.up)
    if len(fed(made)) < len(made.stages):
        raise ValueError("some stages do not need the input")
    flow = _Flow(2 + links * len(made.stages))

    def near(stage: int, link: int) -> int:
        return SOURCE if stage == INPUT else 2 + stage * links + link

    for index, (stage, prices) in enumerate(zip(made.stages, rates.stages, strict=True)):
        flow.constant += stage.reach * prices[links]
        for link in range(links):
            flow.paid(near(index, link), stage.reach * (prices[link] - prices[link + 1]))
            if link:
                flow.edge(near(index, link - 1), near(index, link))
    for link in range(links):
        for tensor in made.tensors:
            _add_tensor(flow, made, tensor, rates, link, [near(s, link) for s in (tensor.producer, *tensor.consumers)])
        _add_trip(flow, made, rates.round_trip[link], [near(s, link) for s in range(len(made.stages))])
    return flow.least(known)


def _add_tensor(flow: _Flow, made: Network, tensor: Tensor, rates: Rates, link: int, places: list[int]) -> None:
    """What ``tensor`` costs on its way up, once, and down; ``places`` are its producer's and consumers' nodes."""
    producer, *consumers = places
    reaches = [made.stages[c].reach for c in tensor.consumers]
    for reach, added in _levels(reaches):
        sent = flow.node()
        flow.edge(producer, sent, rates.crossing(tensor, link) * added)
        for consumer, own in zip(consumers, reaches, strict=True):
            if own >= reach:
                flow.edge(sent, consumer)
    for consumer in consumers if producer != SOURCE else ():
        flow.edge(consumer, producer)
    if tensor.output and producer != SOURCE:
        back = rates.down[link] * tensor.size * made.reach(tensor)
        flow.constant += back
        flow.paid(producer, -back)


def _add_trip(flow: _Flow, made: Network, price: float, places: list[int]) -> None:
    for reach, added in _levels([stage.reach for stage in made.stages]):
        unused = flow.node()
        flow.edge(SOURCE, unused, price * added)
        for stage, place in zip(made.stages, places, strict=True):
            if stage.reach >= reach:
                flow.edge(unused, place)


def _levels(reaches: list[float]) -> list[tuple[float, float]]:
    """Each probability, falling, with what it adds to the next smaller one."""
    known = sorted(set(reaches), reverse=True)
    return [(high, high - low) for high, low in zip(known, [*known[1:], 0.0], strict=False)]


def fed(made: Network) -> set[int]:
    """The stages that need the input."""
    found: set[int] = set()
    for tensor in sorted(made.tensors, key=lambda t: t.producer):
        if tensor.producer == INPUT or tensor.producer in found:
            found.update(tensor.consumers)
    return found
