"""The best cut when tensors are coded: by likely bytes at first, then by true ones of whatever the best cut sends.

A code that takes longer than what it saves, as on a slow device with a fast link, is not used. That goes on until the best cut
sends nothing else. Estimates are meant to be low, so a tensor that the best cut does not send
would not pay with its true bytes either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edgeopt.partition.codes.choose import Chosen
from edgeopt.partition.codes.coder import Coder
from edgeopt.partition.codes.judge import Loss
from edgeopt.partition.cut import Cut
from edgeopt.partition.network import Network, Placement, Tensor
from edgeopt.partition.prices import Rates, crossing

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


def coded_cut(
    network: Network, coder: Coder, slowness: Sequence[float], cutting: Cutting, rates: Sequence[Rates]
) -> tuple[Network, Cut | None]:
    """The network with coded tensors, and its best cut by ``cutting``; a tier codes ``slowness`` times as long as this machine.

    A tensor that no cut was found to send keeps its size, and so does one whose code pays on no link by any of ``rates``.
    """
    low = {name: float(size) for name, size in coder.estimates().items()}
    while True:
        cut = cutting(_sized(network, coder, slowness, rates, low))
        if cut is None:
            return network, None
        sent = [name for name in sends(network, cut.placement) if name in low and name not in coder.chosen]
        if not sent:
            break
        coder.settle(cut.placement, sent)
    coder.settle_input()
    cut = tightened(network, coder, slowness, cut, cutting, rates)
    return _sized(network, coder, slowness, rates, {}), cut


def tightened(
    network: Network, coder: Coder, slowness: Sequence[float], cut: Cut, cutting: Cutting, rates: Sequence[Rates]
) -> Cut:
    """``cut``; where it sends several tensors, codes are chosen more strictly until together they keep the budget."""
    known = coded(_sized(network, coder, slowness, rates, {}))
    names = [name for name in sends(network, cut.placement) if name in known]
    for share in STRICTER[1:] if len(names) > 1 else ():
        if coder.joint(cut.placement, names).careful <= coder.max_drop:
            break
        coder.settle(cut.placement, names, share)
    return cutting(_sized(network, coder, slowness, rates, {})) or cut


def sends(network: Network, placement: Placement) -> list[str]:
    """The tensors that go up over some link, in order."""
    links = range(max(placement, default=0))
    return [t.name for t in network.tensors if any(crossing(network, t, placement, link) for link in links)]


def coded(network: Network) -> set[str]:
    """The tensors of ``network`` that travel coded."""
    return {tensor.name for tensor in network.tensors if tensor.coding}


def _pays(made: Tensor, plain: Tensor, rates: Sequence[Rates]) -> bool:
    return any(some.crossing(made, link) < some.crossing(plain, link) for some in rates for link in range(len(some.up)))


def _sized(
    network: Network, coder: Coder, slowness: Sequence[float], rates: Sequence[Rates], low: Mapping[str, float]
) -> Network:
    """``network`` with true bytes where they are known, else those that are likely."""
    tensors = []
    for tensor in network.tensors:
        found = coder.chosen.get(tensor.name)
        if found is not None:
            seconds = coder.seconds[tensor.name]
            made = replace(tensor, size=found.bytes, coding=tuple(seconds * s for s in slowness))
            tensors.append(made if _pays(made, tensor, rates) else tensor)
        elif tensor.name in low and tensor.name not in coder.chosen:
            tensors.append(replace(tensor, size=min(low[tensor.name], tensor.size)))
        else:
            tensors.append(tensor)
    return Network(network.stages, tuple(tensors))
