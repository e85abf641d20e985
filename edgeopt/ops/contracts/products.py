"""Matrix products: inner dimensions that meet, stacks that broadcast, and what is added to the result."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape


def product(operands: Operands, left: int, right: int) -> Shape:
    """The shape of the matrix product of two inputs, vectors and stacks as numpy takes them."""
    a, b = operands.shape(left), operands.shape(right)
    operands.rank(left, 1)
    operands.rank(right, 1)
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    depth = b[-2] if len(b) > 1 else b[0]
    text = f"{operands.label(left)} of shape {list(a)} and {operands.label(right)} of shape {list(b)}"
    operands.need(a[-1] == depth, f"{text} have no common depth")
    one, other = a[:-2], b[:-2]
    rank = max(len(one), len(other))
    one, other = (1,) * (rank - len(one)) + one, (1,) * (rank - len(other)) + other
    operands.need(all(m == n or 1 in (m, n) for m, n in zip(one, other, strict=True)), f"{text} do not broadcast")
    return (*(n if m == 1 else m for m, n in zip(one, other, strict=True)), *rows, *columns)


def _matmul(operands: Operands) -> None:
    operands.same_type(0, 1)
    operands.yields(product(operands, 0, 1))


def _gemm(operands: Operands) -> None:
    operands.same_type(0, 1, 2)
    for index in (0, 1):
        operands.rank(index, 2, 2)
    a, b = operands.shape(0), operands.shape(1)
    m, depth = reversed(a) if operands.node.integer("transA", 0) else a
    inner, n = reversed(b) if operands.node.integer("transB", 0) else b
    text = f"{operands.label(0)} of shape {list(a)} and {operands.label(1)} of shape {list(b)} have no common depth"
    operands.need(depth == inner, text)
    operands.spreads(2, (m, n))
    operands.yields((m, n))


def _fused_gemm(operands: Operands) -> None:
    """A [..., M, K], W [K, N], B [N], R of the shape of the result."""
    operands.same_type(0, 1, 2, 3)
    shape = product(operands, 0, 1)
    operands.spreads(2, shape)
    operands.fits(3, shape)
    operands.yields(shape)


RULES = {"MatMul": _matmul, "Gemm": _gemm, "FusedGemm": _fused_gemm}
