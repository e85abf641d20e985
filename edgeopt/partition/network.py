"""A network as the planner sees it: stages in the order they run, and the tensors between them.

Costs are per inference. A stage that only some inferences reach (what lies behind an early exit) has the probability of that in
``reach``; it never grows along an edge. Constants belong to every tier, so they are no tensors here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

INPUT = -1  # the producer of a tensor that the caller supplies, on the first tier


@dataclass(frozen=True)
class Stage:
    """One layer: ``seconds`` and ``joule`` on each tier, in the order of the tiers."""

    name: str
    seconds: tuple[float, ...]
    joule: tuple[float, ...]
    reach: float = 1.0


@dataclass(frozen=True)
class Tensor:
    """``size`` bytes from the stage ``producer`` (or INPUT) to ``consumers``; an ``output`` goes back to the first tier.

    ``coding`` are the seconds on each tier for making those bytes of the tensor, or the tensor of them; empty for none.
    """

    name: str
    size: float
    producer: int
    consumers: tuple[int, ...] = ()
    output: bool = False
    coding: tuple[float, ...] = ()


@dataclass(frozen=True)
class Network:
    """Stages in topological order and the tensors between them. Raises ValueError where a tensor runs against that order."""

    stages: tuple[Stage, ...]
    tensors: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        for tensor in self.tensors:
            if any(not tensor.producer < consumer < len(self.stages) for consumer in tensor.consumers):
                raise ValueError(f"tensor '{tensor.name}' is read before stage {tensor.producer} made it")

    def reach(self, tensor: Tensor) -> float:
        """The probability that ``tensor`` is computed."""
        return 1.0 if tensor.producer == INPUT else self.stages[tensor.producer].reach


Placement = Sequence[int]  # the tier of each stage


def follows(network: Network, placement: Placement) -> bool:
    """Whether data move only to the same or to a later tier under ``placement``."""
    return all(
        placement[tensor.producer] <= placement[consumer]
        for tensor in network.tensors
        if tensor.producer != INPUT
        for consumer in tensor.consumers
    )
