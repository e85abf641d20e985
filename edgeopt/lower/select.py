"""Kernel selection: the first entry of the table that does not decline, and the halo that consumers ask of a value."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import OWN_DOMAIN, Node, TensorType, Value
from edgeopt.kernels.call import Kernel, Layout
from edgeopt.ops.table import OWN_OPS
from edgeopt.target import Target

Halo = tuple[int, int, int, int]
NO_HALO: Halo = (0, 0, 0, 0)
BYTES = ("uint8", "int8")
WORDS = ("uint16", "int16")


def candidates(table: Sequence[Kernel], node: Node) -> list[Kernel]:
    """Entries that name the node's operator, in the order of the table."""
    return [k for k in table if node.op in k.ops] if node.domain in ("", OWN_DOMAIN) else []


def blocked_layout(table: Sequence[Kernel], value: Value, target: Target) -> Layout:
    """The blocked layout of ``value``, with a halo that is enough for every consumer that may read it blocked.

    The inputs of a concatenation that is made in place share the layout of its output.
    """
    whole = joined(value, target)
    halo, fill = NO_HALO, 0
    for member in [whole, *whole.producer.inputs] if whole is not None and whole.producer is not None else [value]:
        for kernel, node in _readers(table, member):
            wanted = kernel.halo(node)
            halo, fill = _largest(halo, wanted), kernel.fill(node) if any(wanted) else fill
    return Layout(_block(value, target), halo, fill)


def _readers(table: Sequence[Kernel], value: Value | None) -> list[tuple[Kernel, Node]]:
    """The kernels that may read ``value`` as their first, blocked input."""
    nodes = [node for node, index in value.uses if index == 0] if value is not None else []
    return [(k, n) for n in nodes for k in candidates(table, n) if k.layout == "blocked"]


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
    others = [n for n in value.users if n.is_op("Concat") and n is not node]
    return _writes_maps(value.producer) and not others and value.type.dims[1] % block_size(target) == 0


def _writes_maps(node: Node) -> bool:
    return node.is_op("Conv", "ConvTranspose") or (node.domain == OWN_DOMAIN and OWN_OPS[node.op].maps)


def block_size(target: Target) -> int:
    """Channels in a block: the lanes of a vector, at least eight so that narrow vectors still amortise a broadcast."""
    return max(8, target.lanes)


def _block(value: Value, target: Target) -> int:
    """Images of few channels that no product made lie in blocks of four codes, what one step of an integer product reads."""
    type_, made = value.type, value.producer is not None and _writes_maps(value.producer)
    few = type_ is not None and can_block(type_) and type_.dtype in (*BYTES, *WORDS) and type_.dims[1] <= 4 and not made
    return 4 if few else block_size(target)


def can_block(type_: TensorType | None) -> bool:
    """Only maps (N, C, H, W) of float32 or codes of 8 or 16 bits and of static shape lie blocked."""
    return type_ is not None and type_.static and type_.dtype in ("float32", *BYTES, *WORDS) and len(type_.dims) == 4


def reads_blocked(kernel: Kernel, value: Value) -> bool:
    """Whether ``kernel`` reads ``value`` blocked where it can: constants lie plain, activations as the kernel says."""
    return kernel.layout == "blocked" and not value.is_constant and can_block(value.type)
