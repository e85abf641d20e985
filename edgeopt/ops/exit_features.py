"""What the head of an early exit sees of a value: features that standard operators compute from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import dtype_of, shape_of

FLOAT = 1  # of ONNX's element types


class Features(Protocol):
    """One way to see a value [1, ...]. Two that are equal compute the same; ``str`` names it in tables."""

    def attach(self, graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
        """Nodes in front of ``before`` that compute the features [1, count] of ``value``, named after ``stem``."""

    def work(self, shape: Sequence[int]) -> int:
        """Multiply-accumulates for a value of ``shape``."""


@dataclass(frozen=True)
class Grid:
    """Means over the ``cells`` (rows, columns) of a map [1, channels, height, width], channels first; None: all as it is.

    Codes count as numbers: the weights behind them are learnt from codes, and take their scale in.
    """

    cells: tuple[int, int] | None

    def attach(self, graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
        """Cast for codes, AveragePool and Flatten."""
        return flat(graph, self.pooled(graph, value, before, stem), before, stem)

    def pooled(self, graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
        """The means [1, channels, rows, columns]. The cells must divide the map."""
        if dtype_of(value) != "float32":
            value = computed(graph, "Cast", [value], shape_of(value) or (), before, stem, {"to": FLOAT})
        if self.cells is None:
            return value
        shape = shape_of(value) or ()
        window = tuple(n // g for n, g in zip(shape[2:], self.cells, strict=True))
        return computed(
            graph, "AveragePool", [value], (*shape[:2], *self.cells), before, stem, {"kernel_shape": window, "strides": window}
        )

    def work(self, shape: Sequence[int]) -> int:
        """Means are no products."""
        return 0

    def __str__(self) -> str:
        return "as it is" if self.cells is None else f"grid {self.cells[0]}x{self.cells[1]}"


def flat(graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
    """``value`` as [1, count]."""
    shape = shape_of(value) or ()
    return computed(graph, "Flatten", [value], (shape[0], prod(shape[1:])), before, stem, {"axis": 1})


def computed(
    graph: Graph,
    op: str,
    inputs: Sequence[Value],
    shape: Sequence[int],
    before: Node | None,
    stem: str,
    attributes: Mapping[str, Any] | None = None,
) -> Value:
    """The float32 output of ``shape`` of a new node ``op`` in front of ``before``."""
    types = [TensorType("float32", tuple(shape))]
    return graph.make(op, list(inputs), types, before, name=stem, attributes=dict(attributes or {})).output
