"""What look-ups leave of the multiplications of layers, counted as Wu et al. (2016, section 3.4) do."""

from __future__ import annotations

from math import prod

from edgeopt.ir import Graph, Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.lookup import CODEBOOKS, CODES
from edgeopt.ops.macs import macs

LOOKUPS = ("LookupConv", "LookupGemm")


def speed_up(graph: Graph) -> str:
    """A sentence on the theoretical speed-up of the layers in codewords; '' when there are none or a shape is open."""
    counts = [_counts(node) for node in graph.nodes if node.is_own(*LOOKUPS)]
    if not counts or None in counts:
        return ""
    whole, tables, sums = (sum(c[i] for c in counts if c is not None) for i in range(3))
    return (
        f"{len(counts)} layers by look-up: {whole / 1e6:.2f} M multiply-adds become {tables / 1e6:.2f} M to build tables and "
        f"{sums / 1e6:.2f} M additions, a theoretical speed-up of {whole / (tables + sums):.1f}"
    )


def theoretical(graph: Graph) -> float | None:
    """Multiply-adds of the whole network as it was, over those and the additions that are left; None where that is not known."""
    before = after = 0
    for node in graph.nodes:
        whole = macs(node)
        counts = _counts(node) if node.is_own(*LOOKUPS) else (whole or 0, whole or 0, 0)
        if whole is None or counts is None:
            return None
        before, after = before + counts[0], after + counts[1] + counts[2]
    return before / after if after else None


def _counts(node: Node) -> tuple[int, int, int] | None:
    """Multiply-adds of a layer as it was, multiply-adds for its tables, and additions of their entries."""
    x, y, codes, books = (shape_of(v) for v in (node.input(0), node.output, node.input(CODES), node.input(CODEBOOKS)))
    whole = macs(node)
    if whole is None or x is None or y is None or codes is None or books is None:
        return None
    return whole, prod(x) * books[0] * books[2], prod(y) * codes[0] * prod(codes[2:])
