"""Concatenations that their producers write in place, and the blocked layout that all who share a piece of memory agree on."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import Node, Value
from edgeopt.ir.match import shape_of
from edgeopt.kernels.call import Kernel, Layout
from edgeopt.lower.regions import within
from edgeopt.lower.select import BYTES, WORDS, block_size, can_block, candidates, writes_maps
from edgeopt.target import Target

Halo = tuple[int, int, int, int]
NO_HALO: Halo = (0, 0, 0, 0)


def blocked_layout(table: Sequence[Kernel], value: Value, target: Target) -> Layout:
    """The blocked layout of ``value``, with a halo that is enough for every consumer that may read it blocked.

    The inputs of a concatenation that is made in place share the layout of its output, as do channels that are read in place.
    """
    whole = joined(table, value, target)
    parts = whole.producer.inputs if whole is not None and whole.producer is not None else []
    members = [whole or value, *(p for p in parts if p is not None and joined(table, p, target) is whole)]
    halo, fill = NO_HALO, 0
    for kernel, node in [reader for m in members for v in within(m) for reader in _readers(table, v)]:
        wanted = kernel.halo(node)
        halo, fill = _largest(halo, wanted), kernel.fill(node) if any(wanted) else fill
    return Layout(_block(value, target), halo, fill)


def _readers(table: Sequence[Kernel], value: Value) -> list[tuple[Kernel, Node]]:
    """The kernels that may read ``value`` as their first, blocked input."""
    nodes = [node for node, index in value.uses if index == 0]
    return [(k, n) for n in nodes for k in candidates(table, n) if k.layout == "blocked"]


def _largest(one: Halo, other: Halo) -> Halo:
    return tuple(max(a, b) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def _block(value: Value, target: Target) -> int:
    """Images of few channels that no product made lie in blocks of four codes, what one step of an integer product reads."""
    type_, made = value.type, value.producer is not None and writes_maps(value.producer)
    few = type_ is not None and can_block(type_) and type_.dtype in (*BYTES, *WORDS) and type_.dims[1] <= 4 and not made
    return 4 if few else block_size(target)


def joined(table: Sequence[Kernel], value: Value, target: Target) -> Value | None:
    """The output of the channel concatenation that ``value`` is written into (or is), or None.

    A concatenation is made in place for one image and parts of whole blocks, of which one at least is a product's. A part is
    written there by a node that may write blocked maps, into the first concatenation that reads it; other parts are copied.
    """
    if value.producer is None or value.producer.is_op("Concat"):
        return value if value.producer is not None and _in_place(value.producer, target) else None
    node = next((n for n in value.users if n.is_op("Concat") and _in_place(n, target)), None)
    return node.output if node is not None and _placed(table, value.producer) else None


def _placed(table: Sequence[Kernel], node: Node) -> bool:
    return not node.is_op("Slice", "Split") and any(k.layout in ("blocked", "stem") for k in candidates(table, node))


def _in_place(node: Node, target: Target) -> bool:
    parts, whole = node.inputs, node.output
    if not can_block(whole.type) or node.integer("axis", 1) not in (1, -3) or len(set(parts)) < len(parts):
        return False
    dims = [shape_of(v) if v is not None and can_block(v.type) else None for v in parts]
    return all(d is not None and d[0] == 1 and d[1] % block_size(target) == 0 for d in dims) and any(map(_is_product, parts))


def _is_product(value: Value | None) -> bool:
    return value is not None and value.producer is not None and writes_maps(value.producer)
