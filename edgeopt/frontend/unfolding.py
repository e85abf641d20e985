"""What the functions of a model unfold to, counted before they are inlined: a file of a kilobyte can hold a million calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onnx import FunctionProto, GraphProto, NodeProto

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.bounds import MAX_NESTING, MAX_NODES, constant_bytes
from edgeopt.frontend.structure import subgraphs
from edgeopt.memory_limit import CONSTANT_COPIES, require

MAX_CALLS = 100
Key = tuple[str, str]


@dataclass(frozen=True)
class Extent:
    """Nodes, bytes of the constants among them, and the depth of subgraphs in each other."""

    nodes: int = 0
    constants: int = 0
    nesting: int = 0

    def __add__(self, other: Extent) -> Extent:
        return Extent(self.nodes + other.nodes, self.constants + other.constants, max(self.nesting, other.nesting))


def check_unfolded(graph: GraphProto, functions: Mapping[Key, FunctionProto], limit: int) -> None:
    """Raise EdgeoptError when ``functions`` call themselves, or when inlining them makes of ``graph`` more than is allowed."""
    total = _Unfolding(functions).all(graph.node)
    if total.nodes > MAX_NODES:
        raise EdgeoptError(
            f"the functions of the model unfold to {total.nodes} nodes, more than {MAX_NODES}; export it without them"
        )
    _check_nesting(total.nesting)
    require(CONSTANT_COPIES * total.constants, limit, "what the constants of the functions of the model unfold to")


def _check_nesting(depth: int) -> None:
    if depth > MAX_NESTING:
        raise EdgeoptError(
            f"the functions of the model unfold to more than {MAX_NESTING} graphs in each other; export it without them"
        )


@dataclass
class _Unfolding:
    functions: Mapping[Key, FunctionProto]
    known: dict[Key, Extent] = field(default_factory=dict)
    active: list[Key] = field(default_factory=list)
    depth: int = 0

    def all(self, nodes: Iterable[NodeProto]) -> Extent:
        """The extent of ``nodes``."""
        total = Extent()
        for node in nodes:
            total += self.node(node)
        return total

    def node(self, node: NodeProto) -> Extent:
        """The extent of one node with its subgraphs and what it calls."""
        own = Extent(1, constant_bytes(node))
        for graph in subgraphs(node):
            self.depth += 1
            _check_nesting(self.depth)  # before the walk itself is too deep
            inner = self.all(graph.node)
            self.depth -= 1
            own += Extent(inner.nodes, inner.constants, inner.nesting + 1)
        key = (node.domain, node.op_type)
        return own + self.function(key) if key in self.functions else own

    def function(self, key: Key) -> Extent:
        """The extent of a function's body, counted once."""
        if key in self.active:
            raise EdgeoptError(f"the function '{key[1]}' of the domain '{key[0]}' calls itself; a model must be acyclic")
        if len(self.active) > MAX_CALLS:
            raise EdgeoptError(f"the functions of the model call each other more than {MAX_CALLS} deep; inline them first")
        if key not in self.known:
            self.active.append(key)
            self.known[key] = self.all(self.functions[key].node)
            self.active.pop()
        return self.known[key]
