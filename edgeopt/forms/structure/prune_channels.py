"""Whole output channels of convolutions and units of matrix products go, and all tensors that hold them shrink.

A layer of the search is the first of a group that shares its channels (``channel_groups``). The form says how many percent of
them go. Those go that have the least second-order saliency (``channel_saliency``); layers that read the rest are fitted to the
exact responses by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeopt.forms.form import Evidence, Session
from edgeopt.forms.structure.channel_groups import groups_of
from edgeopt.forms.structure.channel_session import ChannelSession
from edgeopt.forms.structure.technique import Structure
from edgeopt.ir import Graph, Node
from edgeopt.ops.channels import channels_of

LEAST = 4  # channels of a vector; targets with longer ones have fewer forms
KEYS = ("channels-50", "channels-25", "channels-75")


@dataclass(eq=False)
class PruneChannels(Structure):
    """What goes is found for a whole graph, so its session knows more of a layer than ``cost`` could."""

    def obstacle(self, graph: Graph) -> str:
        """There must be channels that can go."""
        groups = groups_of(graph, channels_of(graph)).values()
        return "" if any(any(group.counts(75, LEAST)) for group in groups) else f"it has no {self.lacks}"

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Only the groups are found."""
        return ChannelSession(self, evidence, keys)


def _never(node: Node, key: str, *more: Any) -> Any:
    raise AssertionError("channels are solved for a whole graph")


PRUNE_CHANNELS = PruneChannels(
    name="prune_channels",
    about="whole channels go, through sums, depthwise filters, concatenations and flattened maps; readers are fitted again",
    done="left with fewer channels",
    lacks="layer with channels that can go",
    keys=KEYS,
    cost=_never,
    solve=_never,
    passes=("prune", "prune_channels"),
    joint=False,
)
