"""The best cut when tensors are coded: by likely bytes at first, then by true ones of whatever the best cut sends.

That goes on until the best cut sends nothing else. Estimates are meant to be low, so a tensor that the best cut does not send
would not pay with its true bytes either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgeopt.partition.codes.choose import Chosen
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.codes.judge import Loss
from edgeopt.partition.cut import Cut
from edgeopt.partition.network import Network, Placement
from edgeopt.partition.prices import crossing

STRICTER = (1.0, 0.5, 0.25)  # shares of the budget for each tensor, until all together keep it
Cutting = Callable[[Network], Cut | None]


@dataclass(frozen=True)
class Coding:
    """The codes of tensors that some placement may send, by name, and what those of the chosen one cost together.

    ``loss`` is of ``samples`` that have chosen nothing. ``uploads`` are the codes that others would send the input in.
    """

    chosen: Mapping[str, Chosen]
    loss: Loss
    samples: int
    uploads: Mapping[str, Chosen]


def coded_cut(network: Network, coder: Coder, slowness: Sequence[float], cutting: Cutting) -> tuple[Network, Cut | None]:
    """The network with coded tensors, and its best cut by ``cutting``; a tier codes ``slowness`` times as long as this machine.

    A tensor that no cut was found to send keeps its size.
    """
    low = {name: float(size) for name, size in coder.estimates().items()}
    while True:
        cut = cutting(_sized(network, coder, slowness, low))
        if cut is None:
            return network, None
        sent = [name for name in sends(network, cut.placement) if name in low and name not in coder.chosen]
        if not sent:
            break
        coder.settle(cut.placement, sent)
    coder.settle_input()
    cut = tightened(network, coder, slowness, cut, cutting)
    return _sized(network, coder, slowness, {}), cut


def tightened(network: Network, coder: Coder, slowness: Sequence[float], cut: Cut, cutting: Cutting) -> Cut:
    """``cut``; where it sends several tensors, codes are chosen more strictly until together they keep the budget."""
    names = [name for name in sends(network, cut.placement) if coder.chosen.get(name) is not None]
    for share in STRICTER[1:] if len(names) > 1 else ():
        if coder.joint(cut.placement, names).careful <= coder.max_drop:
            break
        coder.settle(cut.placement, names, share)
    return cutting(_sized(network, coder, slowness, {})) or cut


def sends(network: Network, placement: Placement) -> list[str]:
    """The tensors that go up over some link, in order."""
    links = range(max(placement, default=0))
    return [t.name for t in network.tensors if any(crossing(network, t, placement, link) for link in links)]


def _sized(network: Network, coder: Coder, slowness: Sequence[float], low: Mapping[str, float]) -> Network:
    """``network`` with true bytes where they are known, else those that are likely."""
    tensors = []
    for tensor in network.tensors:
        found = coder.chosen.get(tensor.name)
        if found is not None and found.bytes < tensor.size:
            seconds = coder.seconds[tensor.name]
            tensors.append(replace(tensor, size=found.bytes, coding=tuple(seconds * s for s in slowness)))
        elif tensor.name in low and tensor.name not in coder.chosen:
            tensors.append(replace(tensor, size=min(low[tensor.name], tensor.size)))
        else:
            tensors.append(tensor)
    return Network(network.stages, tuple(tensors))
