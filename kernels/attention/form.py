"""The sizes of an attention and where its operands lie, as its kernels need them."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.kernels.call import Declined, Site, Tensor
from edgeopt.kernels.walk.strided import broadcast, outer, row_major
from edgeopt.kernels.walk.tiling import Tiling, choose
from edgeopt.target import Target

ROWS = 48  # of a block of queries, at most


@dataclass(frozen=True)
class Strides:
    """Element strides of an operand: four of its stack, one of its rows, one of its columns."""

    stack: tuple[int, ...]
    row: int
    column: int


@dataclass(frozen=True)
class Form:
    """``heads`` products of ``rows`` queries with ``keys`` keys of ``depth`` elements, and with values of ``width`` elements.

    Queries are taken in blocks of ``block``. ``scoring`` and ``mixing`` are the tilings of the two products.
    """

    heads: int
    rows: int
    keys: int
    depth: int
    width: int
    extents: tuple[int, ...]
    q: Strides
    k: Strides
    v: Strides
    y: Strides
    mask: Strides | None
    scale: float
    block: int
    scoring: Tiling
    mixing: Tiling

    def padded(self, lanes: int) -> int:
        """Scores of a row, filled up to whole vectors."""
        return -(-self.keys // lanes) * lanes

    @property
    def blocks(self) -> int:
        """Blocks of queries of a head; the last is moved up to end with the rows."""
        return -(-self.rows // self.block)


def form_of(site: Site) -> Form:
    """The form of a node. Raises Declined for operands that are not plain float32, or whose rows do not lie together."""
    q, k, v, y = (site.given(0), site.given(1), site.given(2), site.outputs[0])
    if any(t.type.dtype != "float32" or t.layout.block for t in (q, k, v, y)):
        raise Declined("its operands are not plain float32")
    rank = len(q.shape)
    shapes, strides = zip(*(_brought(site, t, n) for t, n in ((q, "q_order"), (k, "k_order"), (v, "v_order"))), strict=True)
    made = (*shapes[0][:-1], shapes[2][-1])
    back = _inverse(site.node.integers("y_order", ()) or tuple(range(rank)))
    steps = [*strides, [row_major(y.shape)[a] for a in back]]
    mask = site.optional(3)
    steps += [broadcast(mask.shape, (*made[:-1], shapes[1][-2]))] if mask is not None else []
    if any(s[-1] != 1 for s in (steps[0], *steps[2:4])) or (mask is not None and steps[4][-1] != 1 < shapes[1][-2]):
        raise Declined("the elements of a row do not lie side by side")
    return _form(site, shapes, steps)


def _form(site: Site, shapes: tuple[tuple[int, ...], ...], steps: list[list[int]]) -> Form:
    q, k, v = shapes
    extents, stacks = outer(q[:-2] or (1,), *(s[:-2] or (0,) for s in steps))
    places = [Strides(tuple(stack), s[-2], s[-1]) for stack, s in zip(stacks, steps, strict=True)]
    lanes, heads = site.target.lanes, 1
    for extent in extents:
        heads *= extent
    block = min(q[-2], max(8, min(ROWS, site.target.l1 // (8 * k[-2]))))
    scoring, mixing = (_tiling(site.target, block, -(-n // lanes)) for n in (k[-2], v[-1]))
    by_q, by_k, by_v, by_y = places[:4]
    mask, scale = places[4] if len(places) > 4 else None, site.node.real("scale", 1.0)
    sizes = heads, q[-2], k[-2], q[-1], v[-1], tuple(extents)
    return Form(*sizes, by_q, by_k, by_v, by_y, mask, scale, block, scoring, mixing)


def _tiling(target: Target, rows: int, vectors: int) -> Tiling:
    found = choose(target, rows, vectors, divided=False)
    return Tiling(found.pixels, min(found.vectors, vectors), found.across)


def _brought(site: Site, tensor: Tensor, name: str) -> tuple[tuple[int, ...], list[int]]:
    order = site.node.integers(name, ()) or tuple(range(len(tensor.shape)))
    steps = row_major(tensor.shape)
    return tuple(tensor.shape[a] for a in order), [steps[a] for a in order]


def _inverse(order: tuple[int, ...]) -> list[int]:
    return [order.index(axis) for axis in range(len(order))]
