"""What is known of the turns of a Loop before it runs."""

from __future__ import annotations

from edgeopt.ir import Graph, Node, Value


def goes_on(body: Graph) -> bool:
    """Whether the condition that a turn computes is always that of the turn before, or true."""
    value = body.outputs[0]
    while value.producer is not None and value.producer.is_op("Identity") and (source := value.producer.input(0)) is not None:
        value = source
    return value is body.inputs[1] or _is_true(value)


def known_turns(node: Node, body: Graph) -> int | None:
    """The number of turns where it is a constant and no turn can end the loop; else None."""
    trips, going = node.constant(0), node.input(1)
    if trips is None or not goes_on(body) or not (going is None or _is_true(going)):
        return None
    return max(0, int(trips.reshape(())))


def _is_true(value: Value) -> bool:
    return value.is_constant and bool(value.array.reshape(()))
