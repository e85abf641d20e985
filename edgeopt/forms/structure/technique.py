"""What the techniques have in common that change the structure of single layers: a layer becomes a sum of chains of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeopt.forms.form import Axis, Evidence, Session
from edgeopt.forms.structure.metric import Metric, unweighted
from edgeopt.forms.structure.session import StructureSession
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.chain import Chains
from edgeopt.passes import factorize
from edgeopt.rewrite import Pass


class Made(Protocol):
    """What a layer, or a module that is known by it, becomes."""

    @property
    def bytes(self) -> int:
        """Of its weights."""

    def constants(self, name: str) -> dict[tuple[str, int], Array]:
        """The constants with which the exact graph would compute the same, by layer and index of the input."""


Solve = Callable[[Node, str, Metric, bool], Chains]  # layer, form, what its inputs are like, whether to fit to that


@dataclass(eq=False)
class Structure:
    """``cost`` gives the multiply-accumulates of a layer in a form, None where it has no such form; ``solve`` what it becomes.

    ``keys`` are its forms, the first of which stands for all. With ``joint``, other layers may take forms of other techniques.
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
    joint: bool = True

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

    def solved(self, node: Node, key: str, known: Mapping[str, Metric]) -> Made:
        """What ``node`` becomes in a form, fitted to what is ``known`` of the inputs of layers, if anything is."""
        metric = known.get(node.name)
        return self.solve(node, key, metric or unweighted(node), metric is not None)

    def carried_out(self, solution: Mapping[str, Any]) -> Pass:
        """The pass that puts what was solved in place."""
        return factorize.make(solution)

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Nothing is computed yet."""
        return StructureSession(self, evidence, keys)
