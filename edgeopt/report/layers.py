"""The layers of a graph with what each costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from edgeopt.ir import Graph, Node, TensorType, Value, numpy_dtype
from edgeopt.ops.macs import macs

SUB_BYTE = {"int4": 0.5, "uint4": 0.5, "float4e2m1": 0.5, "int2": 0.25, "uint2": 0.25}


@dataclass(frozen=True)
class Layer:
    """One node: ``macs`` is None where a dimension is unknown; constants count at their first reader, in bytes."""

    name: str
    op: str
    output: str
    macs: int | None
    parameter_bytes: int


@dataclass(frozen=True)
class Totals:
    """Sums over the layers. ``ops`` maps an operator to its number of nodes; ``unknown`` counts layers without MACs."""

    nodes: int
    macs: int
    parameter_bytes: int
    unknown: int
    ops: dict[str, int]


def layers(graph: Graph) -> list[Layer]:
    """One Layer per node in the order of execution; a subgraph counts with the node that holds it."""
    counted: set[int] = set()
    return [_layer(node, counted) for node in graph.nodes]


def totals(rows: Sequence[Layer]) -> Totals:
    """The sums over ``rows``, operators in falling order of their number."""
    return Totals(
        nodes=len(rows),
        macs=sum(row.macs or 0 for row in rows),
        parameter_bytes=sum(row.parameter_bytes for row in rows),
        unknown=sum(row.macs is None for row in rows),
        ops=dict(Counter(row.op for row in rows).most_common()),
    )


def work(graph: Graph) -> dict[str, int | None]:
    """How many nodes a graph has, and their multiply-accumulates; None where those of one are not known."""
    found = totals(layers(graph))
    return {"nodes": found.nodes, "macs": None if found.unknown else found.macs}


def _layer(node: Node, counted: set[int]) -> Layer:
    output = str(node.output.type) if node.outputs and node.output.type is not None else "?"
    op = f"{node.domain}.{node.op}" if node.domain else node.op
    return Layer(node.name, op, output, macs(node), sum(_bytes_once(v, counted) for v in _constants(node)))


def _constants(node: Node) -> list[Value]:
    inside = [value for inner in node.subgraphs for child in inner.nodes for value in _constants(child)]
    return [v for v in node.inputs if v is not None and v.is_constant] + inside


def _bytes_once(value: Value, counted: set[int]) -> int:
    if id(value) in counted:
        return 0
    counted.add(id(value))
    type_ = value.type if value.type is not None and value.type.static else TensorType(value.array.dtype.name, value.array.shape)
    if type_.dtype == "string":
        return 0
    width = SUB_BYTE.get(type_.dtype) or numpy_dtype(type_.dtype).itemsize
    return -int(-prod(type_.dims) * width // 1)
