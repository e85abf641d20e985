"""Transposes around operators that do not care about the order of axes -> fewer, or smaller, Transposes.

    Transpose(f(Transpose(x, p), Transpose(y, p)), p^-1)   ->   f'(x, y)

The region of such operators (see edgeopt.ops.permutation) around a Transpose is computed in the layout from before it; the
Transposes on its border cancel, and others are put where a value crosses the border. The cost is the number of elements the
Transposes move; nodes are taken out of the region while that lowers it. Not when no element is saved, with unknown shapes, or
for a region of more than 150 nodes.
"""

import math

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import rank_of, shape_of
from edgeopt.ops.permutation import Plan, flipped_shape, inverse, plan
from edgeopt.rewrite import Context, Pass

LIMIT = 150
Region = dict[Node, Plan]


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    rank = rank_of(node.output)
    if not node.is_op("Transpose") or rank is None:
        return False
    perm = node.integers("perm", range(rank - 1, -1, -1))
    universe = _grow(graph, node, perm)
    if not universe or len(universe) > LIMIT:
        return False
    if any(shape_of(v) is None for n in universe for v in (*n.inputs, *n.outputs) if v is not None):
        return context.decline(node, "a shape around it is not static")
    region = _shrink(universe, graph, perm)
    if _cost(region, universe, graph, perm) >= _cost({}, universe, graph, perm):
        return context.decline(node, "moving it saves no element")
    _flip(graph, region, perm)
    return True


def _grow(graph: Graph, seed: Node, perm: tuple[int, ...]) -> Region:
    """All nodes that can be flipped and are connected with the seed through flipped values, in topological order."""
    found: Region = {}
    front = [seed.output]
    while front and len(found) <= LIMIT:
        value = front.pop()
        for node in [*value.users, *([value.producer] if value.producer is not None else [])]:
            planned = None if node in found or node.graph is not graph else plan(node, perm)
            if planned is None or not any(node.inputs[i] is value for i in planned.flipped) and node is not value.producer:
                continue
            found[node] = planned
            front += [v for i in planned.flipped if (v := node.inputs[i]) is not None]
            front += [] if planned.sink else node.outputs
    order = {node: position for position, node in enumerate(graph.nodes)}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _shrink(region: Region, graph: Graph, perm: tuple[int, ...]) -> Region:
    """Take out nodes, last first, as long as that lowers the cost."""
    universe, best, improved = region, _cost(region, region, graph, perm), True
    while improved:
        improved = False
        for node in reversed(list(region)):
            smaller = {n: p for n, p in region.items() if n is not node}
            cost = _cost(smaller, universe, graph, perm)
            if cost < best:
                region, best, improved = smaller, cost, True
    return region


def _cost(region: Region, universe: Region, graph: Graph, perm: tuple[int, ...]) -> int:
    """Elements moved by the Transposes at and inside the border of ``universe`` when ``region`` is flipped."""
    flipped = {o for n, p in region.items() if not p.sink for o in n.outputs}
    wanted = {v for n, p in region.items() for i in p.flipped if (v := n.inputs[i]) is not None}
    values = {v for n in universe for v in (*n.inputs, *n.outputs) if v is not None and not v.is_constant}
    total = 0
    for value in values:
        size = math.prod(shape_of(value) or ())
        outside = [user for user, index in value.uses if user not in region or index not in region[user].flipped]
        if _source(value, perm) is not None:
            total += size * bool(outside or graph.is_output(value))
            continue
        total += size * (value in wanted and value not in flipped)
        hard = graph.is_output(value) or any(not user.is_op("Transpose") for user in outside)
        total += size * (value in flipped and hard)
        total += sum(size for u in outside if u.is_op("Transpose") and not (value in flipped and _undoes(u, perm)))
    return total


def _source(value: Value, perm: tuple[int, ...]) -> Value | None:
    """The value that ``value`` is the Transpose by ``perm`` of, or None."""
    node = value.producer
    if node is None or not node.is_op("Transpose"):
        return None
    own = node.integers("perm", range(len(perm) - 1, -1, -1))
    return node.input(0) if own == perm else None


def _undoes(node: Node, perm: tuple[int, ...]) -> bool:
    return node.is_op("Transpose") and node.integers("perm", range(len(perm) - 1, -1, -1)) == inverse(perm)


def _flip(graph: Graph, region: Region, perm: tuple[int, ...]) -> None:
    stored: dict[Value, Value] = {}
    for node, planned in region.items():
        inputs = list(node.inputs)
        for index in planned.flipped:
            inputs[index] = _flipped_input(graph, node, inputs[index], stored, perm)
        for index, array in planned.constants.items():
            inputs += [None] * (index + 1 - len(inputs))
            inputs[index] = graph.constant(f"{node.name}.permuted", array)
        types = [o.type if planned.sink else _flipped_type(o, perm) for o in node.outputs]
        made = graph.make(node.op, inputs, types, node, node.domain, node.name, {**node.attributes, **planned.attributes})
        for old, new in zip(node.outputs, made.outputs, strict=True):
            if planned.sink:
                graph.replace(old, new)
            else:
                stored[old] = new
    _leave(graph, region, stored, perm)


def _flipped_input(graph: Graph, node: Node, value: Value | None, stored: dict[Value, Value], perm: tuple[int, ...]) -> Value:
    assert value is not None
    if value not in stored:
        attributes = {"perm": inverse(perm)}
        stored[value] = _source(value, perm) or (
            graph.make("Transpose", [value], [_flipped_type(value, perm)], node, name="transpose", attributes=attributes).output
        )
    return stored[value]


def _leave(graph: Graph, region: Region, stored: dict[Value, Value], perm: tuple[int, ...]) -> None:
    """Connect what reads the region from outside, then erase the old nodes and the Transposes that lost their readers."""
    for node, planned in region.items():
        for value in [] if planned.sink else node.outputs:
            for user in value.users:
                if user not in region and _undoes(user, perm) and user.graph is graph:
                    graph.replace(user.output, stored[value])
                    graph.erase(user)
            if graph.is_output(value) or any(user not in region for user in value.users):
                back = graph.make("Transpose", [stored[value]], [value.type], node, name="transpose", attributes={"perm": perm})
                graph.replace(value, back.output)
    read = [v for n, p in region.items() for i in p.flipped if (v := n.inputs[i]) is not None]
    sources = [v.producer for v in dict.fromkeys(read) if v.producer is not None and _source(v, perm) is not None]
    for node in [*reversed(list(region)), *sources]:
        if node.graph is graph and not any(o.uses or graph.is_output(o) for o in node.outputs):
            graph.erase(node)


def _flipped_type(value: Value, perm: tuple[int, ...]) -> TensorType | None:
    shape = shape_of(value)
    return TensorType(value.type.dtype, flipped_shape(shape, perm)) if value.type is not None and shape is not None else None


PASS = Pass("move_transposes", rewrite, roots=("Transpose",))
