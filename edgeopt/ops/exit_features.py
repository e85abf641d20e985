"""What the head of an early exit sees of a value: features that standard operators compute from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value
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


@dataclass(frozen=True, eq=False)
class Hidden:
    """A layer with Relu on the features ``seen``: weight [features, units] and bias [units]."""

    seen: Features
    weight: Array
    bias: Array

    def attach(self, graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
        """The features, Gemm and Relu."""
        features, shape = self.seen.attach(graph, value, before, stem), (1, self.weight.shape[1])
        constants = _constants(graph, stem, self.weight, self.bias)
        product = computed(graph, "Gemm", [features, *constants], shape, before, f"{stem}.hidden")
        return computed(graph, "Relu", [product], shape, before, f"{stem}.hidden")

    def work(self, shape: Sequence[int]) -> int:
        """The products with the weight."""
        return int(self.weight.size) + self.seen.work(shape)

    def __str__(self) -> str:
        return f"{self.seen}, {self.weight.shape[1]} hidden"


@dataclass(frozen=True, eq=False)
class Convolved:
    """A convolution with Relu on the means ``seen``, without padding: weight [units, channels, rows, columns], bias [units]."""

    seen: Grid
    weight: Array
    bias: Array
    step: int

    def attach(self, graph: Graph, value: Value, before: Node | None, stem: str) -> Value:
        """The means, Conv, Relu and Flatten."""
        units, kernel = len(self.bias), self.weight.shape[2:]
        made, shape = self.seen.pooled(graph, value, before, stem), (1, units, *self.places())
        inputs = [made, *_constants(graph, stem, self.weight, self.bias)]
        attributes = {"kernel_shape": kernel, "strides": (self.step, self.step)}
        made = computed(graph, "Conv", inputs, shape, before, f"{stem}.hidden", attributes)
        return flat(graph, computed(graph, "Relu", [made], shape, before, f"{stem}.hidden"), before, stem)

    def places(self) -> tuple[int, ...]:
        """Rows and columns of the result."""
        cells, kernel = self.seen.cells or (1, 1), self.weight.shape[2:]
        return tuple((n - k) // self.step + 1 for n, k in zip(cells, kernel, strict=True))

    def work(self, shape: Sequence[int]) -> int:
        """The products with the weight, at each place."""
        return int(self.weight.size) * prod(self.places()) + self.seen.work(shape)

    def __str__(self) -> str:
        return f"{self.seen}, {self.weight.shape[2]}x{self.weight.shape[3]} convolution of {len(self.bias)}"


def _constants(graph: Graph, stem: str, weight: Array, bias: Array) -> list[Value]:
    arrays = {"hidden.weight": weight, "hidden.bias": bias}
    return [graph.constant(f"{stem}.{name}", array.astype(np.float32)) for name, array in arrays.items()]


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
