"""Kernel selection: the first entry of the table that does not decline, and the halo that consumers ask of a value."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import Node, TensorType, Value
from edgeopt.kernels.call import PLAIN, Kernel, Layout
from edgeopt.target import Target

NO_HALO = (0, 0, 0, 0)


def candidates(table: Sequence[Kernel], node: Node) -> list[Kernel]:
    """Entries that name the node's operator, in the order of the table."""
    return [k for k in table if node.op in k.ops] if node.domain in ("", "ai.edgeopt", "com.microsoft") else []


def blocked_layout(table: Sequence[Kernel], value: Value, target: Target) -> Layout:
    """The blocked layout of ``value``, with a halo that is enough for every consumer that may read it blocked."""
    halo = NO_HALO
    for node, index in value.uses:
        for kernel in candidates(table, node):
            if kernel.layout == "blocked" and index == 0:
                halo = tuple(max(a, b) for a, b in zip(halo, kernel.halo(node), strict=True))  # type: ignore[assignment]
    return Layout(block_size(target), halo)


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
