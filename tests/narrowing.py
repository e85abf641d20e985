"""Random small networks whose channels hang together: sums, depthwise filters, concatenations, pads, flattened maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeopt.ir import Array, Graph, Value
from edgeopt.ir.match import shape_of
from edgeopt.ops.channels import Channels
from tests.passes.building import closed
from tests.strategies import Draft

SAME = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}


def conv(draft: Draft, x: Value, width: int, *more: Value) -> Value:
    """A 3x3 convolution to ``width`` channels, with a residual if one is given."""
    weights = draft.weight(width, channels(x), 3, 3), draft.weight(width)
    return draft.own("FusedConv", x, *weights, *more, activation=draft.choice.pick(["", "Relu", "Sigmoid"]), **SAME)


def channels(x: Value) -> int:
    """Of a map."""
    dims = shape_of(x)
    assert dims is not None
    return dims[1]


def _residual(draft: Draft, x: Value) -> Value:
    return conv(draft, conv(draft, x, 5), channels(x), x)


def _sum(draft: Draft, x: Value) -> Value:
    return draft.op(draft.choice.pick(["Add", "Mul"]), conv(draft, x, 6), conv(draft, x, 6))


def _gate(draft: Draft, x: Value) -> Value:
    squeezed = draft.op("GlobalAveragePool", x)
    weight = draft.weight(channels(x), channels(x), 1, 1)
    inner = draft.own("FusedConv", squeezed, weight, activation="Sigmoid", kernel_shape=(1, 1))
    return draft.op("Mul", x, inner)


def _depthwise(draft: Draft, x: Value) -> Value:
    made = conv(draft, x, 6)
    return draft.own("FusedConv", made, draft.weight(6, 1, 3, 3), draft.weight(6), group=6, **SAME)


def _concat(draft: Draft, x: Value) -> Value:
    return draft.op("Concat", conv(draft, x, 3), x, conv(draft, x, 4), axis=1)


def _padded(draft: Draft, x: Value) -> Value:
    wide = draft.op("Pad", x, draft.ints(0, 2, 0, 0, 0, 1, 0, 0))
    return draft.op("Add", wide, conv(draft, x, channels(x) + 3))


def _per_channel(draft: Draft, x: Value) -> Value:
    return draft.op("PRelu", draft.op("Add", conv(draft, x, 5), draft.weight(5, 1, 1)), draft.weight(1, 5, 1, 1))


def _pooled(draft: Draft, x: Value) -> Value:
    return draft.op("MaxPool", conv(draft, x, 6), kernel_shape=(3, 3), pads=(1, 1, 1, 1))


BLOCKS: tuple[Callable[[Draft, Value], Value], ...] = (
    _residual, _sum, _gate, _depthwise, _concat, _padded, _per_channel, _pooled,
)  # fmt: skip


def network(draft: Draft, blocks: int) -> Graph:
    """``blocks`` of BLOCKS, flattened in either order of axes, and two matrix products."""
    x = conv(draft, draft.input((1, 3, 4, 4)), 4)
    for _ in range(blocks):
        x = draft.choice.pick(BLOCKS)(draft, x)
    if draft.choice.integer(0, 1):
        x = draft.op("Transpose", x, perm=(0, 2, 3, 1))
    flat = draft.op("Reshape", x, draft.ints(1, -1))
    hidden = draft.own("FusedGemm", flat, draft.weight(_columns(flat), 6), draft.weight(6), activation="Relu")
    return closed(draft, draft.own("FusedGemm", hidden, draft.weight(6, 3), draft.weight(3)))


def _columns(flat: Value) -> int:
    dims = shape_of(flat)
    assert dims is not None
    return dims[1]


def unread(graph: Graph, found: Channels, gone: Array) -> None:
    """Set what every reader takes from the classes ``gone`` to zero."""
    for node in graph.nodes:
        for axis, classes in found.operands.get((node.name, 1), []) if node.name in found.readers else []:
            if axis == (0 if node.op == "FusedGemm" else 1):
                weight = np.array(node.constant(1))
                np.moveaxis(weight, axis, 0)[np.isin(classes, gone)] = 0
                node.set_input(1, graph.constant("unread", weight))
