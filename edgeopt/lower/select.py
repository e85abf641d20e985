"""Kernel selection: the first entry of the table that does not decline, and the halo that consumers ask of a value."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import Node, TensorType, Value
from edgeopt.kernels.call import PLAIN, Kernel, Layout
from edgeopt.target import Target

Halo = tuple[int, int, int, int]
NO_HALO: Halo = (0, 0, 0, 0)


def candidates(table: Sequence[Kernel], node: Node) -> list[Kernel]:
    """Entries that name the node's operator, in the order of the table."""
    return [k for k in table if node.op in k.ops] if node.domain in ("", "ai.edgeopt", "com.microsoft") else []


def blocked_layout(table: Sequence[Kernel], value: Value, target: Target) -> Layout:
    """The blocked layout of ``value``, with a halo that is enough for every consumer that may read it blocked.

    The inputs of a concatenation that is made in place share the layout of its output.
    """
    whole = joined(value, target)
    halo = NO_HALO
    for member in [whole, *whole.producer.inputs] if whole is not None and whole.producer is not None else [value]:
        halo = _largest(halo, _halo(table, member))
    return Layout(block_size(target), halo)


def _halo(table: Sequence[Kernel], value: Value | None) -> Halo:
    halo = NO_HALO
    for node, index in value.uses if value is not None else ():
        for kernel in candidates(table, node):
            if kernel.layout == "blocked" and index == 0:
                halo = _largest(halo, kernel.halo(node))
    return halo


def _largest(one: Halo, other: Halo) -> Halo:
    return tuple(max(a, b) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def joined(value: Value, target: Target) -> Value | None:
    """The output of the channel concatenation that ``value`` is part of (or is) and that can be made in place, or None.

    Then every part is written straight into its channels of the whole: one image, parts of whole blocks, each part computed by a
    node and read by no other concatenation.
    """
    nodes = [n for n in value.users if n.is_op("Concat")] if value.producer is None or not value.producer.is_op("Concat") else []
    node = nodes[0] if len(nodes) == 1 else value.producer
    return node.output if node is not None and node.is_op("Concat") and _in_place(node, target) else None


def _in_place(node: Node, target: Target) -> bool:
    parts, whole = node.inputs, node.output
    if not can_block(whole.type) or node.integer("axis", 1) not in (1, -3) or len(set(parts)) < len(parts):
        return False
    return all(_part(v, node, target) for v in parts) and whole.type is not None and whole.type.dims[0] == 1


def _part(value: Value | None, node: Node, target: Target) -> bool:
    if value is None or value.producer is None or not can_block(value.type) or value.type is None:
        return False
    producer_is_conv = value.producer.op in ("Conv", "FusedConv")
    others = [n for n in value.users if n.is_op("Concat") and n is not node]
    return producer_is_conv and not others and value.type.dims[1] % block_size(target) == 0


def block_size(target: Target) -> int:
    """Channels in a block: the lanes of a vector, at least eight so that narrow vectors still amortise a broadcast."""
    return max(8, target.lanes)


def can_block(type_: TensorType | None) -> bool:
    """Only float32 maps (N, C, H, W) of static shape lie blocked."""
    return type_ is not None and type_.static and type_.dtype == "float32" and len(type_.dims) == 4


def layout_of(kernel: Kernel, index: int, value: Value, blocked: Layout) -> Layout:
    """The layout in which ``kernel`` reads input ``index``: constants lie plain, activations as the kernel says."""
    if kernel.layout != "blocked" or value.is_constant or not can_block(value.type):
        return PLAIN
    return blocked
