"""The intermediate representation: TensorType, Value, Node and Graph.

A graph is ONNX-shaped: a node is an operator of an ONNX opset or of the domain ``ai.edgeopt``, and every graph can be
exported as a valid ONNX model. Uses are exact at all times because a graph changes through three doors only:
``Node.set_input``, ``Graph.replace`` and ``Graph.erase`` (plus ``Graph.insert`` and ``Graph.constant``, which add).
Subgraphs of If, Loop and Scan are attributes; values of an outer graph are used inside them directly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeopt.ir.types import OWN_DOMAIN, Array, Attribute, Dim, TensorType, VerificationError

FEW = 8  # outputs that are looked through one by one


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the graph: a node's output, a graph input or a constant. ``uses`` lists (node, input index)."""

    name: str
    type: TensorType | None = None
    producer: Node | None = None
    uses: list[tuple[Node, int]] = field(default_factory=list)
    load: Callable[[], Array] | None = None
    _array: Array | None = None

    @property
    def is_constant(self) -> bool:
        """True for initializers, including those whose data still lies on disk."""
        return self._array is not None or self.load is not None

    @property
    def array(self) -> Array:
        """The constant's data, read from disk at first need. Raises VerificationError for a value that is computed."""
        if self._array is None:
            if self.load is None:
                raise VerificationError(f"value '{self.name}' is not a constant")
            self._array, self.load = self.load(), None  # the model file's own copy is not held any longer
        return self._array

    @property
    def users(self) -> list[Node]:
        """The nodes that read this value, once each, in the order of their first use."""
        return list(dict.fromkeys(node for node, _ in self.uses))

    def __repr__(self) -> str:
        return f"%{self.name}"


@dataclass(eq=False, slots=True)
class Node:
    """One operator. ``inputs`` holds None where an optional input is left out; unused optional outputs have the name ''."""

    op: str
    inputs: list[Value | None]
    outputs: list[Value]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    graph: Graph | None = None

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]

    @property
    def subgraphs(self) -> list[Graph]:
        """The graphs among the attributes (If, Loop, Scan)."""
        return [a for a in self.attributes.values() if isinstance(a, Graph)]

    def is_op(self, *names: str) -> bool:
        """True when this is one of the named operators of the default ONNX domain."""
        return self.domain == "" and self.op in names

    def is_own(self, *names: str) -> bool:
        """True when this is one of the named operators of ``ai.edgeopt``."""
        return self.domain == OWN_DOMAIN and self.op in names

    def input(self, index: int) -> Value | None:
        """Input ``index``, or None when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int) -> Array | None:
        """The array of input ``index`` when it is a constant, else None."""
        value = self.input(index)
        return value.array if value is not None and value.is_constant else None

    def integer(self, name: str, default: int) -> int:
        """Integer attribute ``name``."""
        value = self.attributes.get(name, default)
        return int(value) if isinstance(value, (int, float)) else default

    def real(self, name: str, default: float) -> float:
        """Floating-point attribute ``name``."""
        value = self.attributes.get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    def text(self, name: str, default: str) -> str:
        """String attribute ``name``."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def integers(self, name: str, default: Iterable[int] = ()) -> tuple[int, ...]:
        """Attribute ``name`` that is a list of integers."""
        value = self.attributes.get(name)
        return tuple(int(v) for v in value) if isinstance(value, (list, tuple, np.ndarray)) else tuple(default)

    def set_input(self, index: int, value: Value | None) -> None:
        """Door one: make input ``index`` read ``value``; the list grows with None as needed."""
        while len(self.inputs) <= index:
            self.inputs.append(None)
        old = self.inputs[index]
        if old is value:
            return
        if old is not None:
            old.uses.remove((self, index))
        self.inputs[index] = value
        if value is not None:
            value.uses.append((self, index))
        while self.inputs and self.inputs[-1] is None:
            self.inputs.pop()
        if self.graph is not None:
            self.graph.touch()

    def __repr__(self) -> str:
        return f"{self.op} '{self.name}'"


@dataclass
class Journal:
    """The nodes inserted into a graph and erased from it, in order."""

    inserted: list[Node] = field(default_factory=list)
    erased: list[Node] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Graph:
    """Nodes in topological order, with inputs, outputs and constants.

    ``opsets`` maps a domain to its version. ``functions`` holds serialised model-local functions that stay as they are.
    ``declared`` holds, by name, dimensions that the model claims for outputs whose shape the data decide.
    ``version`` counts changes. ``parent`` is the enclosing graph of a subgraph. ``memory_limit`` bounds what the whole model may
    take, in bytes; None: what the machine has. ``branches`` is False while no node has a subgraph. ``journal`` receives what is
    inserted and erased while one is set. ``outputs`` are replaced as a list, never one by one.
    """

    name: str = "graph"
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    constants: list[Value] = field(default_factory=list)
    opsets: dict[str, int] = field(default_factory=lambda: {"": 21})
    ir_version: int = 10
    metadata: dict[str, str] = field(default_factory=dict)
    functions: list[bytes] = field(default_factory=list)
    producer: tuple[str, str] = ("", "")
    declared: dict[str, tuple[Dim, ...]] = field(default_factory=dict)
    parent: Graph | None = None
    version: int = 0
    memory_limit: int | None = None
    branches: bool = False
    journal: Journal | None = None
    _serial: int = 0
    _ends: tuple[list[Value], int, set[int]] | None = None

    @property
    def opset(self) -> int:
        """Version of the default ONNX domain."""
        return self.opsets.get("", 21)

    @property
    def root(self) -> Graph:
        """The outermost graph."""
        return self.parent.root if self.parent is not None else self

    def touch(self) -> None:
        """Note a change, here and in every enclosing graph."""
        self.version += 1
        if self.parent is not None:
            self.parent.touch()

    def walk(self) -> Iterator[Graph]:
        """This graph and every graph inside it."""
        yield self
        for node in list(self.nodes) if self.branches else ():
            for inner in node.subgraphs:
                yield from inner.walk()

    def fresh(self, stem: str) -> str:
        """A value or node name that no other has, derived from ``stem``."""
        self.root._serial += 1
        return f"{re.sub(r'~[0-9]+', '', stem)}~{self.root._serial}"

    def constant(self, name: str, array: Array, dtype: str | None = None) -> Value:
        """Add a constant; its name is made unique. ``dtype`` names an element type numpy lacks (int4, bfloat16)."""
        array = np.asarray(array)
        value = Value(self.fresh(name), TensorType(dtype or array.dtype.name, array.shape), _array=array)
        self.constants.append(value)
        self.touch()
        return value

    def insert(self, node: Node, before: Node | None = None) -> Node:
        """Add ``node`` in front of ``before`` (or at the end) and register its uses. Empty names are filled in."""
        node.graph = self
        node.name = node.name or self.fresh(node.op.lower())
        for out in node.outputs:
            out.producer = node
        for index, value in enumerate(node.inputs):
            if value is not None:
                value.uses.append((node, index))
        for inner in node.subgraphs:
            inner.parent, self.branches = self, True
        if self.journal is not None:
            self.journal.inserted.append(node)
        self.nodes.insert(self.nodes.index(before) if before is not None else len(self.nodes), node)
        self.touch()
        return node

    def make(
        self,
        op: str,
        inputs: Sequence[Value | None],
        types: Sequence[TensorType | None],
        before: Node | None = None,
        domain: str = "",
        name: str = "",
        attributes: Mapping[str, Attribute] | None = None,
    ) -> Node:
        """Create and insert a node whose outputs are new values of ``types``."""
        stem = name or op.lower()
        outputs = [Value(self.fresh(stem), t) for t in types]
        return self.insert(Node(op, list(inputs), outputs, dict(attributes or {}), domain, self.fresh(stem)), before)

    def replace(self, old: Value, new: Value) -> None:
        """Door two: every reader of ``old``, in this graph and inside it, and every graph output reads ``new`` instead.

        A graph output keeps its name: ``new`` takes the name over when it is computed by a node of the same graph and is not
        itself an output; otherwise an Identity carries the name.
        """
        for node, index in list(old.uses):
            node.set_input(index, new)
        for graph in self.walk():
            if any(out is old for out in graph.outputs):
                graph._redirect_output(old, new)
        self.touch()

    def _redirect_output(self, old: Value, new: Value) -> None:
        producer = new.producer
        if producer is not None and producer.graph is self and all(out is not new for out in self.outputs):
            old.name, new.name = self.fresh(old.name), old.name
        else:
            carrier = Value(old.name, old.type)
            old.name = self.fresh(old.name)
            self.insert(Node("Identity", [new], [carrier]), None)
            new = carrier
        self.outputs = [new if out is old else out for out in self.outputs]

    def erase(self, node: Node) -> None:
        """Door three: remove a node. Raises VerificationError when one of its outputs is still read."""
        for out in node.outputs:
            if out.uses or self.is_output(out):
                raise VerificationError(f"cannot erase {node!r}: its output '{out.name}' is still used")
        for index in range(len(node.inputs) - 1, -1, -1):
            node.set_input(index, None)
        for inner in node.subgraphs:
            for child in reversed(list(inner.nodes)):
                inner.outputs = []
                inner.erase(child)
        self.nodes.remove(node)
        node.graph = None
        if self.journal is not None:
            self.journal.erased.append(node)
        self.touch()

    def is_output(self, value: Value) -> bool:
        """True when ``value`` is an output of this graph."""
        if len(self.outputs) <= FEW:
            return any(out is value for out in self.outputs)
        if self._ends is None or self._ends[0] is not self.outputs or self._ends[1] != len(self.outputs):
            self._ends = (self.outputs, len(self.outputs), set(map(id, self.outputs)))
        return id(value) in self._ends[2]

    def __str__(self) -> str:
        from edgeopt.ir.text import graph_text

        return graph_text(self)
