"""Channels that nothing needs -> gone, group by group; all tensors that hold them shrink.

    y = Conv(x, W) + b,  z = Conv(act(y), V)   ->   y' = Conv(x, W[kept]) + b[kept],  z = Conv(act(y'), V[:, kept])

Exact where every layer that mixes the channels has zeros for them, which those who choose them see to. What lies between follows:
sums of maps, depthwise filters, concatenations, pads, flattened maps, constants with a number for each channel.
"""

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.channels import Channels
from edgeopt.rewrite import Context, Pass


def make(channels: Channels, gone: Mapping[str, Array]) -> Pass:
    """The pass for the classes that are ``gone``, by the layer that their group is known by; all of one group at once."""
    alive = np.ones(len(channels.fixed), bool)
    waiting = {name: classes for name, classes in gone.items() if len(classes)}

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name not in waiting:
            return False
        before = alive.copy()
        alive[waiting.pop(node.name)] = False
        for each in list(graph.nodes):
            _shrink(graph, each, channels, before, alive)
        return True

    return Pass("prune_channels", rewrite, contract="approximate")


def _shrink(graph: Graph, node: Node, channels: Channels, before: Array, after: Array) -> None:
    """``node`` without the classes that were there ``before`` and are not ``after``."""
    axis, classes = channels.values.get(node.output.name, (0, np.zeros(0, np.int64)))
    narrower = not after[classes[before[classes]]].all()
    for index, value in enumerate(node.inputs):
        cuts = channels.operands.get((node.name, index), [])
        if value is not None and not all(after[ids[before[ids]]].all() for _, ids in cuts):
            node.set_input(index, graph.constant(value.name, _cut(value.array, cuts, before, after)))
    if not narrower:
        return
    _retype(node.output, axis, int(after[classes].sum()))
    if node.name in channels.depthwise:
        node.attributes["group"] = int(after[classes].sum())
    _resize(graph, node, channels, after)
    graph.touch()


def _cut(array: Array, cuts: list[tuple[int, Array]], before: Array, after: Array) -> Array:
    for axis, classes in cuts:
        array = np.compress(after[classes[before[classes]]], array, axis)
    return np.ascontiguousarray(array)


def _retype(value: Value, axis: int, count: int) -> None:
    assert value.type is not None
    dims = value.type.dims
    value.type = TensorType(value.type.dtype, (*dims[:axis], count, *dims[axis + 1 :]))


def _resize(graph: Graph, node: Node, channels: Channels, after: Array) -> None:
    """The sizes that ``node`` holds as a constant."""
    if node.is_op("Reshape"):
        node.set_input(1, graph.constant(f"{node.name}.shape", np.array(shape_of(node.output), np.int64)))
    if node.name in channels.pads:
        axis, begin, end = channels.pads[node.name]
        pads = np.array(node.constant(1))
        pads[axis], pads[len(pads) // 2 + axis] = after[begin].sum(), after[end].sum()
        node.set_input(1, graph.constant(f"{node.name}.pads", pads))
