"""The memory a compiled model will need, held against its limit before any of it is allocated."""

from __future__ import annotations

from edgeopt.ir import Graph, Value
from edgeopt.memory_limit import amount, machine_memory, require


def require_memory(graph: Graph, arena: int, weights: int) -> None:
    """Raise EdgeoptError when inputs, outputs, ``arena`` and ``weights`` (bytes) together are more than the graph may take."""
    ports = sum(_bytes(v) for v in [*graph.inputs, *graph.outputs])
    limit = machine_memory() if graph.memory_limit is None else graph.memory_limit
    parts = f"buffers {amount(arena)}, weights {amount(weights)}, inputs and outputs {amount(ports)}"
    require(arena + weights + ports, limit, f"the model ({parts}; {_largest(graph)})")


def _largest(graph: Graph) -> str:
    value = max([*graph.inputs, *(out for node in graph.nodes for out in node.outputs)], key=_bytes, default=None)
    if value is None:
        return "it has no values"
    where = f" of {value.producer!r}" if value.producer is not None else ""
    return f"the largest value is '{value.name}'{where}, {value.type}"


def _bytes(value: Value) -> int:
    return value.type.nbytes if value.type is not None else 0
