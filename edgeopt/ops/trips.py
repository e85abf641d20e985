"""Bounds on Loop and Scan, which the host walks trip by trip: how often they run, and how much their stacked results take."""

from __future__ import annotations

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.memory_limit import machine_memory, require

MAX_TRIPS = 10_000_000  # on the host each takes many microseconds


def limit_of(node: Node) -> int:
    """The memory limit, in bytes, of the graph that ``node`` stands in; what the machine has when none was set."""
    limit = node.graph.root.memory_limit if node.graph is not None else None
    return machine_memory() if limit is None else limit


def check_trips(node: Node, trips: int) -> None:
    """Raise EdgeoptError when ``node`` would run without end."""
    if trips > MAX_TRIPS:
        hint = "give it fewer, or write it with operators on whole tensors"
        raise EdgeoptError(f"{node!r} makes {trips} trips, more than {MAX_TRIPS}; {hint}")


def check_stacks(node: Node, nbytes: int, limit: int) -> None:
    """Raise EdgeoptError when results of ``nbytes`` in all, which lie in memory twice while they are stacked, are too large."""
    require(2 * nbytes, limit, f"{node!r}: the stack of its results")


def check_loops(graph: Graph, limit: int) -> None:
    """Raise EdgeoptError for a Loop or Scan of ``graph`` that is known before it runs to break one of these bounds."""
    for inner in graph.walk():
        for node in inner.nodes:
            trips = _known_trips(node)
            if trips is not None:
                check_trips(node, trips)
                check_stacks(node, trips * sum(_bytes(v) for v in _stacked(node)), limit)


def _known_trips(node: Node) -> int | None:
    """The trips ``node`` makes in every run; None when data decide, and for other operators."""
    if node.is_op("Scan"):
        return _scan_length(node)
    count = node.constant(0) if node.is_op("Loop") else None
    if count is None or count.size != 1 or not _always_runs(node):
        return None
    return int(count.reshape(()))


def _scan_length(node: Node) -> int | None:
    inputs = node.integer("num_scan_inputs", 1)
    value = node.inputs[len(node.inputs) - inputs]
    axis = (node.integers("scan_input_axes") or (0,))[0]
    shape = value.type.shape if value is not None and value.type is not None else None
    size = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    return size if isinstance(size, int) else None


def _always_runs(node: Node) -> bool:
    """True when nothing but the trip count ends the Loop: its condition starts true and the body hands it on."""
    start, body = node.input(1), node.attributes.get("body")
    if not isinstance(body, Graph) or not (start is None or (start.is_constant and _is_true(start.array))):
        return False
    value: Value | None = body.outputs[0]
    while value is not None and value.producer is not None and value.producer.is_op("Identity"):
        value = value.producer.input(0)
    return value is body.inputs[1] or value is start or (value is not None and value.is_constant and _is_true(value.array))


def _is_true(array: Array) -> bool:
    return array.size == 1 and bool(array.reshape(()))


def _stacked(node: Node) -> list[Value]:
    """What each trip of ``node`` adds to its stacked outputs."""
    body = node.attributes.get("body")
    if not isinstance(body, Graph):
        return []
    carried = len(node.inputs) - 1 if node.is_op("Loop") else len(node.inputs) - node.integer("num_scan_inputs", 1)
    return body.outputs[carried:]


def _bytes(value: Value) -> int:
    return value.type.nbytes if value.type is not None else 0
