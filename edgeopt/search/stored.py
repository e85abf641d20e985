"""What the weights of a network take as they are stored: values and positions coded by their entropy, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgeopt.coding import coded_size
from edgeopt.coding.frequencies import entropy_bits
from edgeopt.evaluate.observe import Overlay
from edgeopt.ir import Array, Graph, Node
from edgeopt.search.timing import layer_name


@dataclass(frozen=True)
class LayerBytes:
    """One layer: how many ``weights`` it has and how many are ``kept``, its bytes as they ``were`` and as they are stored.

    ``value_bits`` are what the values of the kept ones (or the codes that stand for them) take by their entropy, ``index_bits``
    all the rest of what is stored, which is mostly where they are, or what codes stand for; both for each kept weight.
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
    return _coded(_parts(node, made))


def _parts(node: Node, made: Overlay) -> Sequence[Array]:
    """The arrays that stand for the weight of a layer; the first holds its values or codes."""
    return made.parts.get((node.name, 1)) or (stored(node, made),)


def _coded(parts: Sequence[Array]) -> int:
    return sum(coded_size(_whole_bytes(part)) for part in parts)


def _whole_bytes(array: Array) -> Array:
    """Codes of less than a byte in one byte each: the coder finds their bits."""
    return array if array.dtype.kind in "fiu" else array.astype(np.int8)


def layer_bytes(graph: Graph, layers: Sequence[str], made: Overlay) -> list[LayerBytes]:
    """Every one of ``layers``, in the order of the exact ``graph``, as ``made`` changes it."""
    return [_layer(node, made) for node in graph.nodes if node.name in set(layers)]


def named_bytes(graph: Graph, names: Collection[str]) -> list[LayerBytes]:
    """What the layers of a finished graph take, and of the graphs in it, that go by one of these ``names``."""
    nodes = [node for inner in graph.walk() for node in inner.nodes if layer_name(node) in names]
    return [_layer(node, Overlay()) for node in nodes if (weight := node.constant(1)) is not None and weight.ndim > 1]


def _layer(node: Node, made: Overlay) -> LayerBytes:
    parts, exact, coded = _parts(node, made), node.constant(1), (node.name, 1) in made.parts
    assert exact is not None
    array = _whole_bytes(parts[0])
    values, total = array if coded else array[array != 0], _coded(parts)
    bits = entropy_bits(np.unique(values, return_counts=True)[1]) if values.size else 0.0
    kept = exact.size if coded else values.size  # a code stands for several weights, none of which is left out
    each = max(1, kept)
    return LayerBytes(node.name, exact.size, kept, exact.nbytes, total, bits / each, max(0.0, 8 * total - bits) / each)


def constants_of(node: Node) -> int:
    """The bytes of all constants that ``node`` reads."""
    return _coded([array for array in (node.constant(i) for i in range(len(node.inputs))) if array is not None])


def constants_bytes(graph: Graph) -> int:
    """The bytes of all constants of a graph that something reads: what a search tried and left lies beside them."""
    read = (v for g in graph.walk() for v in g.constants if v.uses or g.is_output(v))
    return sum(coded_size(_whole_bytes(v.array)) for v in read)


def constants_size(graph: Graph) -> int:
    """The bytes of all constants of a graph as they lie in an ONNX file."""
    return sum(v.array.nbytes for g in graph.walk() for v in g.constants)


def weights_by_layer(graph: Graph) -> dict[str, int]:
    """The bytes of the constants of two or more axes that each layer of a graph reads, by ``layer_name``."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        arrays = [value.array for value in node.inputs if value is not None and value.is_constant]
        size = sum(array.nbytes for array in arrays if array.ndim > 1)
        found[layer_name(node)] = found.get(layer_name(node), 0) + size
    return found


def record(layers: Sequence[LayerBytes], graph: Graph, recipe: str, model: int) -> Mapping[str, Any]:
    """For the manifest: the layers, and the bytes of all constants of the finished ``graph`` against those of the ``model``."""
    rows = [{**asdict(layer), "layer": layer_name(layer.layer)} for layer in layers]
    return {"recipe": recipe, "layers": rows, "model": model, "bytes": constants_bytes(graph)}
