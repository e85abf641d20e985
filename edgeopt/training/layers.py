"""What training makes of the layers of a graph, from one phase to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.grids import QuantizationPlan, linear_nodes
from edgeopt.training.network import Place, starting

NONE = -1  # the code of a weight that is zero


@dataclass(eq=False)
class Layers:
    """The weights and biases of ``graph`` by place, and what binds them.

    ``masks`` are True where a weight stays. ``codes`` say which value of its table each weight takes, ``NONE`` for zeros.
    ``plan`` holds grids, ``tables`` codewords; ``planner`` finds both for the weights as they are. ``forms`` are words for each.
    """

    graph: Graph
    constants: dict[Place, Array]
    masks: dict[str, Array] = field(default_factory=dict)
    codes: dict[str, Array] = field(default_factory=dict)
    plan: QuantizationPlan | None = None
    tables: dict[str, LookupWeight] = field(default_factory=dict)
    planner: Callable[[Layers], QuantizationPlan] | None = None
    forms: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.nodes:
            self.forms.setdefault(node.name, [])

    @property
    def nodes(self) -> list[Node]:
        """The layers that can be trained."""
        return linear_nodes(self.graph)

    def kept(self, name: str) -> Array:
        """Where the weight of a layer may differ from zero."""
        mask = self.masks.get(name)
        return np.ones(self.constants[name, 1].shape, bool) if mask is None else mask


def layers_of(graph: Graph) -> Layers:
    """The layers as they are."""
    return Layers(graph, starting(graph))
