"""Concatenations that their producers write in place, and the blocked layout that all who share a piece of memory agree on."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.ir import Node, Value
from edgeopt.ir.match import shape_of
from edgeopt.kernels.call import Kernel, Layout
from edgeopt.lower.last import last_layout
from edgeopt.lower.regions import within
from edgeopt.lower.select import BYTES, WORDS, block_size, can_block, candidates, writes_maps
from edgeopt.target import Target

Halo = tuple[int, int, int, int]
NO_HALO: Halo = (0, 0, 0, 0)


def blocked_layouts(table: Sequence[Kernel], value: Value, target: Target) -> dict[Value, Layout]:
    """The blocked layout of ``value``, with a halo that is enough for every consumer that may read it blocked.

    The inputs of a concatenation that is made in place share the layout of its output, as do channels that are read in place:
    those of all of them are given.
    """
    if (last := last_layout(value, target)) is not None:
        return {value: last}
    whole = joined(table, value, target)
    members = [value] if whole is None else _members(table, whole, whole, target)
    halo, fill = NO_HALO, 0
    for kernel, node in [reader for m in members for v in within(m) for reader in _readers(table, v)]:
        wanted = kernel.halo(node)
        halo, fill = _largest(halo, wanted), kernel.fill(node) if any(wanted) else fill
    return {member: Layout(_block(member, target), halo, fill) for member in (value, *members)}


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
    One that another begins with lies in that: all concatenations of a dense block are the first channels of its last.
    """
    if value.producer is None:
        return None
    if value.producer.is_op("Concat"):
        return _outermost(value, target) if _in_place(value.producer, target) else None
    node = next((n for n in value.users if n.is_op("Concat") and _in_place(n, target)), None)
    return _outermost(node.output, target) if node is not None and _placed(table, value.producer) else None


def first_channel(value: Value, whole: Value) -> int:
    """The channel of ``whole``, which ``value`` is joined into, that it begins with."""
    parts = _parts(whole)
    if value in parts:
        return sum(dims[1] for dims in map(shape_of, parts[: parts.index(value)]) if dims is not None)
    made_of_first = value.producer is not None and value.producer.is_op("Concat")
    return 0 if made_of_first else first_channel(value, parts[0])


def _outermost(whole: Value, target: Target) -> Value:
    """The largest concatenation in place that begins with ``whole``: with it, or with the parts it is made of."""
    parts = _parts(whole)
    nested = [n for n in whole.users if n.is_op("Concat") and n.inputs[0] is whole]
    longer = [n for n in _beside(whole) if len(n.inputs) > len(parts) and list(n.inputs[: len(parts)]) == parts]
    ordered = [*nested, *sorted(longer, key=lambda n: -len(n.inputs))]
    node = next((n for n in ordered if _in_place(n, target)), None)
    return whole if node is None else _outermost(node.output, target)


def _members(table: Sequence[Kernel], value: Value, whole: Value, target: Target) -> list[Value]:
    """``value``, which is joined into ``whole``, and the parts and shorter concatenations of it that are."""
    if value.producer is None or not value.producer.is_op("Concat"):
        return [value]
    parts = _parts(value)
    inside = [p for p in parts if joined(table, p, target) is whole]
    shorter = [n for n in _beside(value) if len(n.inputs) < len(parts) and list(n.inputs) == parts[: len(n.inputs)]]
    begun = [n.output for n in shorter if _in_place(n, target) and n.output is not value]
    return [value, *begun, *(m for p in inside for m in _members(table, p, whole, target))]


def _parts(whole: Value) -> list[Value]:
    return [v for v in whole.producer.inputs if v is not None] if whole.producer is not None else []


def _beside(whole: Value) -> list[Node]:
    """The concatenations that read the first part of ``whole``."""
    return [n for n in _parts(whole)[0].users if n.is_op("Concat")]


def _placed(table: Sequence[Kernel], node: Node) -> bool:
    return not node.is_op("Slice", "Split") and any(k.layout in ("blocked", "stem") for k in candidates(table, node))


def _in_place(node: Node, target: Target) -> bool:
    parts, whole = node.inputs, node.output
    if (
        last_layout(whole, target) is not None
        or not can_block(whole.type)
        or node.integer("axis", 1) not in (1, -3)
        or len(set(parts)) < len(parts)
    ):
        return False
    dims = [shape_of(v) if v is not None and can_block(v.type) else None for v in parts]
    return all(d is not None and d[0] == 1 and d[1] % block_size(target) == 0 for d in dims) and any(map(_is_product, parts))


def _is_product(value: Value | None) -> bool:
    return value is not None and value.producer is not None and writes_maps(value.producer)
