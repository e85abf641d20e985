"""Maps of bytes that lie with their channels last, as microcontrollers have them: which they are, and what is the same memory."""

from __future__ import annotations

from collections.abc import Callable

from edgeopt.ir import Node, Value
from edgeopt.kernels.call import Layout
from edgeopt.lower.select import BYTES, can_block
from edgeopt.lower.storage import Storage, Store
from edgeopt.target import Target

CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def last_layout(value: Value, target: Target) -> Layout | None:
    """The layout of a map of bytes on a target that has their channels last: one block of all channels."""
    if not target.channels_last or value.type is None or not can_block(value.type) or value.type.dtype not in BYTES:
        return None
    return Layout(value.type.dims[1])


def in_one_order(source: Storage, layout: Layout) -> Storage | None:
    """A map in another ``layout`` where that is the same memory: of one channel or one position, all in one block, no border."""
    tensor = source.tensor
    block = max(tensor.layout.block, layout.block)
    if len(tensor.shape) != 4 or any(tensor.layout.halo) or any(layout.halo) or block != tensor.shape[1]:
        return None
    same = tensor.type.dtype in BYTES and (block == 1 or tensor.shape[2] * tensor.shape[3] == 1)
    return source.laid(layout) if same else None


def turned_storage(node: Node, store: Store, target: Target, read: Callable[[Value, Node, bool], Storage]) -> Storage | None:
    """The result of a Transpose that moves channels to where they lie in memory anyway; None for all other nodes."""
    source, turn = node.input(0), node.integers("perm", ()) if node.is_op("Transpose") else ()
    type_, made = node.output.type, last_layout(node.output, target)
    if source is None or source.is_constant or type_ is None or store.graph.is_output(node.output):
        return None
    if turn == CHANNELS_FIRST and made is not None:
        return read(source, node, True).viewed(type_).laid(made)
    found = store.get(source, plain=False)
    last = found is not None and turn == CHANNELS_LAST and found.tensor.layout == last_layout(source, target)
    return found.viewed(type_) if found is not None and last else None
