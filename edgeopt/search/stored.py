"""What the weights of a network take as they are stored: values and positions coded by their entropy, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeopt.coding import coded_size
from edgeopt.coding.frequencies import entropy_bits
from edgeopt.evaluate.observe import Overlay
from edgeopt.ir import Array, Graph, Node


@dataclass(frozen=True)
class LayerBytes:
    """One layer: how many ``weights`` it has and how many are ``kept``, its bytes as they ``were`` and as they are stored.

    ``value_bits`` are what the values of the kept ones take by their entropy, ``index_bits`` all the rest of what is stored,
    which is mostly where they are; both for each kept weight.
    """

    layer: str
    weights: int
    kept: int
    were: int
    bytes: int
    value_bits: float
    index_bits: float


def stored(node: Node, made: Overlay) -> Array:
    """What is stored of the weight of a layer: its codes where it lies on a grid."""
    exact = node.constant(1)
    assert exact is not None
    weight, grid = made.constants.get((node.name, 1), exact), made.grids.get((node.name, 1))
    if grid is None:
        return weight
    return weight.astype(np.float16) if grid.dtype == "float16" else grid.stored(grid.quantize(weight))


def stored_bytes(node: Node, made: Overlay) -> int:
    """The bytes of the weight of a layer."""
    return coded_size(_whole_bytes(stored(node, made)))


def _whole_bytes(array: Array) -> Array:
    """Codes of less than a byte in one byte each: the coder finds their bits."""
    return array if array.dtype.kind in "fiu" else array.astype(np.int8)


def layer_bytes(graph: Graph, layers: Sequence[str], made: Overlay) -> list[LayerBytes]:
    """Every one of ``layers``, in the order of the exact ``graph``, as ``made`` changes it."""
    return [_layer(node, made) for node in graph.nodes if node.name in set(layers)]


def _layer(node: Node, made: Overlay) -> LayerBytes:
    array, exact = _whole_bytes(stored(node, made)), node.constant(1)
    assert exact is not None
    values, total = array[array != 0], coded_size(array)
    bits = entropy_bits(np.unique(values, return_counts=True)[1]) if values.size else 0.0
    each = max(1, values.size)
    return LayerBytes(node.name, exact.size, values.size, exact.nbytes, total, bits / each, max(0.0, 8 * total - bits) / each)


def constants_bytes(graph: Graph) -> int:
    """The bytes of all constants of a graph."""
    return sum(coded_size(_whole_bytes(v.array)) for g in graph.walk() for v in g.constants)


def constants_size(graph: Graph) -> int:
    """The bytes of all constants of a graph as they lie in an ONNX file."""
    return sum(v.array.nbytes for g in graph.walk() for v in g.constants)


def record(layers: Sequence[LayerBytes], graph: Graph, recipe: str, model: int) -> Mapping[str, Any]:
    """For the manifest: the layers, and the bytes of all constants of the finished ``graph`` against those of the ``model``."""
    return {"recipe": recipe, "layers": [asdict(layer) for layer in layers], "model": model, "bytes": constants_bytes(graph)}
