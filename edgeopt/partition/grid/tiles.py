"""Fused tiles: a graph for each tile that computes its part of a map from a part of the input, through all layers in between.

    front(input)   ->   Concat(tile 0 0 (part of input), tile 0 1 (part of input), ...)

Neighbouring tiles read a few rows and columns both (the halo) and compute twice what they share; nothing is exchanged between
them (Zhao et al. 2018, DeepThings). Padding stays where the map has its edge, so that numbers are those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.partition.grid.windows import Box, has_window, is_local, is_map, maps_of, needed, plane

Boxes = Mapping[Value, Box]


@dataclass(frozen=True)
class Front:
    """The local ``nodes`` between graph inputs and the map ``end``, the only one of theirs that others read."""

    nodes: tuple[Node, ...]
    end: Value

    @property
    def inputs(self) -> list[Value]:
        """The graph inputs that it reads."""
        inside = {id(node) for node in self.nodes}
        read = (value for node in self.nodes for _, value in maps_of(node))
        return list(dict.fromkeys(v for v in read if v.producer is None or id(v.producer) not in inside))


def fronts(graph: Graph) -> list[Front]:
    """Every front of ``graph``, the shortest first."""
    sources: dict[int, frozenset[int]] = {}  # value -> the places of the nodes that it is computed by, all of them local
    found = []
    for place, node in enumerate(graph.nodes):
        parents = [sources.get(id(v), None if v.producer or not is_map(v) else frozenset[int]()) for _, v in maps_of(node)]
        if not is_local(node) or any(p is None for p in parents):
            continue
        known = frozenset({place}).union(*(p for p in parents if p is not None))
        sources[id(node.output)] = known
        if not graph.is_output(node.output) and _closed(graph, known, node.output):
            found.append(Front(tuple(graph.nodes[i] for i in sorted(known)), node.output))
    return found


def _closed(graph: Graph, places: frozenset[int], end: Value) -> bool:
    """Whether nobody outside reads any map of the nodes at ``places`` but ``end``."""
    nodes = [graph.nodes[i] for i in places]
    inside = {id(node) for node in nodes}
    others = [node.output for node in nodes if node.output is not end]
    return not any(graph.is_output(v) or any(id(user) not in inside for user in v.users) for v in others)


def grid(front: Front, rows: int, columns: int) -> list[Box]:
    """The end of ``front`` as ``rows`` times ``columns`` boxes of nearly the same size, row by row.

    Raises EdgeoptError for a map that is smaller than the grid.
    """
    height, width = plane(front.end)
    if rows > height or columns > width:
        raise EdgeoptError(f"'{front.end.name}' of {height}x{width} pixels cannot be cut into {rows}x{columns} tiles")
    across, down = _cuts(width, columns), _cuts(height, rows)
    return [Box(r, c) for r in down for c in across]


def boxes(front: Front, tile: Box) -> dict[Value, Box]:
    """The part of each map of ``front`` that ``tile`` of its end needs, without padding."""
    found = {front.end: tile}
    for node in reversed(front.nodes):
        for place, value in maps_of(node):
            part = needed(node, place, found[node.output]).within(value)
            if min(part.size) < 1:
                where = f"the padding of {node.op} '{node.name}'"
                raise EdgeoptError(f"a tile of '{front.end.name}' lies in {where}; use fewer tiles")
            found[value] = part.joined(found.get(value))
    return found


def tile_graph(graph: Graph, front: Front, parts: Boxes, name: str) -> Graph:
    """A graph that computes ``parts[front.end]`` from the parts of the inputs; its output is called ``name``."""
    made = Graph(name, opsets=dict(graph.opsets), ir_version=graph.ir_version, functions=list(graph.functions))
    known: dict[Value, Value] = {}
    for value in front.inputs:
        known[value] = Value(value.name, _type(value, parts[value]))
        made.inputs.append(known[value])
    for node in front.nodes:
        _copy(node, made, parts, known)
    end = known[front.end]
    end.name = name
    made.outputs = [end]
    return made


def merged(rest: Graph, end: str, tiles: Mapping[str, Box], columns: int) -> Graph:
    """``rest``, which reads the map ``end``, reading ``tiles`` by name instead; it is changed and returned."""
    whole = next(value for value in rest.inputs if value.name == end)
    pieces = [Value(name, _type(whole, box)) for name, box in tiles.items()]
    first = rest.nodes[0]
    rows = [_joined(rest, pieces[i : i + columns], 3, first) for i in range(0, len(pieces), columns)]
    result = _joined(rest, rows, 2, first)
    rest.replace(whole, result)
    rest.inputs = [value for value in rest.inputs if value is not whole] + pieces
    return rest


def _joined(graph: Graph, values: Sequence[Value], axis: int, before: Node) -> Value:
    if len(values) == 1:
        return values[0]
    types = [value.type for value in values if value.type is not None]
    dims = list(types[0].dims)
    dims[axis] = sum(t.dims[axis] for t in types)
    return graph.make("Concat", values, [TensorType(types[0].dtype, tuple(dims))], before, attributes={"axis": axis}).output


def _copy(node: Node, into: Graph, parts: Boxes, known: dict[Value, Value]) -> None:
    """``node`` on its part: operands cut to what it needs of them, padding where the map ends."""
    attributes = dict(node.attributes)
    inputs = list(node.inputs)
    for place, value in maps_of(node):
        wanted = needed(node, place, parts[node.output])
        inside = wanted.within(value)
        inputs[place] = _cut(into, known[value], parts[value], inside)
        if place == 0 and has_window(node):
            pads = [(i[0] - w[0], w[1] - i[1]) for w, i in zip(wanted.spans, inside.spans, strict=True)]
            attributes |= {"pads": [pads[0][0], pads[1][0], pads[0][1], pads[1][1]]}
            attributes.pop("auto_pad", None)
            attributes.pop("ceil_mode", None)  # what the last window reaches beyond the map is padding here
    for place, given in enumerate(inputs):
        if given is not None and given.is_constant:
            inputs[place] = _constant(into, given, known)
    types = [_type(node.output, parts[node.output])]
    made = into.make(node.op, inputs, types, domain=node.domain, name=node.name, attributes=attributes)
    known[node.output] = made.output


def _constant(into: Graph, value: Value, known: dict[Value, Value]) -> Value:
    if value not in known:
        known[value] = Value(value.name, value.type, load=value.load, _array=value._array)
        into.constants.append(known[value])
    return known[value]


def _cut(into: Graph, value: Value, has: Box, wanted: Box) -> Value:
    """``wanted`` of ``value``, which holds ``has``."""
    if has == wanted:
        return value
    offsets = [(w[0] - h[0], w[1] - h[0]) for w, h in zip(wanted.spans, has.spans, strict=True)]
    ends = [into.constant("cut", _integers(numbers)) for numbers in (*zip(*offsets, strict=True), (2, 3))]
    return into.make("Slice", [value, *ends], [_type(value, wanted)]).output


def _integers(numbers: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


def _type(value: Value, box: Box) -> TensorType:
    assert value.type is not None
    return replace(value.type, shape=(*value.type.dims[:2], *box.size))


def _cuts(size: int, count: int) -> list[tuple[int, int]]:
    ends = [round(i * size / count) for i in range(count + 1)]
    return list(zip(ends, ends[1:], strict=False))
