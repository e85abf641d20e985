"""What the techniques have in common that change the structure of single layers: a layer becomes a sum of chains of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeopt.forms.form import Axis, Evidence, Session
from edgeopt.forms.structure.metric import Metric
from edgeopt.forms.structure.session import StructureSession
from edgeopt.ir import Graph, Node
from edgeopt.ops.chain import Chains

Solve = Callable[[Node, str, Metric, bool], Chains]  # layer, form, what its inputs are like, whether to fit to that


@dataclass(eq=False)
class Structure:
    """``cost`` gives the multiply-accumulates of a layer in a form, None where it has no such form; ``solve`` what it becomes.

    ``keys`` are its forms, the first of which stands for all.
    """

    name: str
    about: str
    done: str
    lacks: str  # what a graph has none of in which no layer has any of the forms
    keys: tuple[str, ...]
    cost: Callable[[Node, str], int | None]
    solve: Solve
    axis: Axis = "structure"
    passes: tuple[str, ...] = ("factorize",)

    def form_keys(self) -> Sequence[str]:
        """All forms."""
        return self.keys

    def first(self) -> str:
        """The one that stands for the technique."""
        return self.keys[0]

    def finer(self, key: str) -> Sequence[str]:
        """All others of the technique; of a single form those of its kind that follow."""
        kind = key.rsplit("-", 1)[0]
        following = self.keys[self.keys.index(key) + 1 :]
        return following if key == self.first() else [k for k in following if k.rsplit("-", 1)[0] == kind]

    def opset(self, keys: Sequence[str]) -> int:
        """Nothing new is needed."""
        return 0

    def obstacle(self, graph: Graph) -> str:
        """There must be a layer that gets cheaper in one of the forms."""
        possible = any(self.cost(node, key) is not None for node in graph.nodes for key in self.keys)
        return "" if possible else f"it has no {self.lacks}"

    def left(self, graph: Graph) -> Sequence[str]:
        """A layer that does not get cheaper is not of its kind."""
        return []

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Nothing is computed yet."""
        return StructureSession(self, evidence, keys)
