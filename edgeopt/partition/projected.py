"""Tensors that arrive as components: the layer that reads them undoes the transform of their code, which then costs nothing.

x = B z with components z, so a layer W x + b that reads nothing else is (W B) z + b, which ``merge_products`` makes of the two
(Huang et al. 2017 project the input of a network, and train it on that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, TensorType, Value
from edgeopt.ir.clone import clone
from edgeopt.partition.codes.code import BoundaryCode, Code
from edgeopt.partition.parts import Parts
from edgeopt.pipeline import optimize


def projected(
    cuts: Sequence[Parts], first: str, codes: Mapping[str, BoundaryCode], relayed: set[str]
) -> tuple[list[Parts], dict[str, BoundaryCode]]:
    """``cuts`` and ``codes`` where each part behind the tier ``first`` reads components, of tensors for which all of them can.

    Tensors that are ``relayed`` over a second link are coded again there, and stay as they are.
    """
    graphs, made = [dict(cut.graphs) for cut in cuts], dict(codes)
    for name, code in codes.items():
        found = {} if name in relayed or not isinstance(code, Code) else dict(_folded(graphs, first, name, code))
        if found and isinstance(code, Code) and None not in found.values():
            made[name] = replace(code, folded=True)
            for (number, tier), graph in found.items():
                graphs[number] |= {} if graph is None else {tier: graph}
    return [Parts(part, cut.wires) for part, cut in zip(graphs, cuts, strict=True)], made


def _folded(
    graphs: Sequence[Mapping[str, Graph]], first: str, name: str, code: Code
) -> Iterator[tuple[tuple[int, str], Graph | None]]:
    for number, parts in enumerate(graphs):
        for tier, graph in parts.items():
            if tier != first and any(value.name == name for value in graph.inputs):
                yield (number, tier), folded(graph, name, code)


def folded(graph: Graph, name: str, code: Code) -> Graph | None:
    """``graph`` whose input ``name`` are the components of ``code``; None where no first layer takes the transform in."""
    transform, made = code.transform, clone(graph)
    if transform.backward is None or any(value.name == name for value in made.outputs):
        return None
    value = next(value for value in made.inputs if value.name == name)
    value.name = made.fresh(f"{name}.whole")
    given = Value(name, TensorType("float32", transform.closed.shape))
    maps = transform.closed.axis == 1 and len(transform.closed.shape) > 2
    back = _product(made, given, value, transform.matrix, maps)
    made.inputs[made.inputs.index(value)] = given
    made.replace(value, back)
    optimize(made)
    return made if _products(made) == _products(graph) else None


def _product(graph: Graph, given: Value, value: Value, matrix: Array, maps: bool) -> Value:
    """``matrix`` times the channels of ``given``, in the shape of ``value``, in front of everything."""
    weight = matrix.reshape(*matrix.shape, *[1] * (len(_dims(given)) - 2)) if maps else matrix.T
    operands = [given, graph.constant(f"{value.name}.matrix", np.ascontiguousarray(weight))]
    channels = len(matrix)
    shape = (1, channels, *_dims(given)[2:]) if maps else (*_dims(given)[:-1], channels)
    before = graph.nodes[0]
    op = "FusedConv" if maps else "FusedGemm"
    made = graph.make(op, operands, [TensorType("float32", shape)], before, OWN_DOMAIN, f"{value.name}.back").output
    if shape == _dims(value):
        return made
    target = graph.constant(f"{value.name}.shape", np.array(_dims(value), np.int64))
    return graph.make("Reshape", [made, target], [value.type], before, name=f"{value.name}.shaped").output


def _dims(value: Value) -> tuple[int, ...]:
    assert value.type is not None and value.type.static
    return tuple(int(d) for d in value.type.dims if isinstance(d, int))


def _products(graph: Graph) -> int:
    return sum(node.is_own("FusedConv", "FusedGemm") for node in graph.nodes)
