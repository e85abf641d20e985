"""The rules of all operators in one table, as complete as the table of kernels, and the two ways to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgeopt.errors import EdgeoptError
from edgeopt.ir import OWN_DOMAIN, Node
from edgeopt.ops.contracts import (
    attention,
    control,
    convolution,
    einsum,
    elementwise,
    fill,
    indexing,
    lookup,
    movement,
    normalization,
    pooling,
    products,
    quantization,
    quantized,
    recurrent,
    reductions,
    sampling,
    sparse,
    views,
)
from edgeopt.ops.contracts.modes import check_modes
from edgeopt.ops.contracts.operands import Misfit, Open, Operands
from edgeopt.ops.contracts.types import check_flags, check_types

DOMAINS = ("", OWN_DOMAIN, "com.microsoft")  # whose operators kernels serve, by name
RULES: dict[str, Callable[[Operands], None]] = {
    **elementwise.RULES,
    **views.RULES,
    **movement.RULES,
    **einsum.RULES,
    **indexing.RULES,
    **convolution.RULES,
    **pooling.RULES,
    **products.RULES,
    **attention.RULES,
    **normalization.RULES,
    **reductions.RULES,
    **recurrent.RULES,
    **sampling.RULES,
    **fill.RULES,
    **quantization.RULES,
    **quantized.RULES,
    **sparse.RULES,
    **lookup.RULES,
}

_ALL = {**RULES, **control.RULES}  # control flow is lowered without a kernel of its own


def misfit(node: Node) -> str:
    """A sentence about the first operand of ``node`` that breaks its operator's contract, '' when none is known to.

    What is not known before the model runs (open shapes, computed indices) is not judged.
    """
    rule = _ALL.get(node.op) if node.domain in DOMAINS else None
    for check in (check_flags, check_modes, check_types, rule) if rule is not None else ():
        try:
            check(Operands(node))
        except Misfit as reason:
            return str(reason)
        except Open:
            continue
    return ""


def require_fit(nodes: Iterable[Node]) -> None:
    """Raise EdgeoptError for the first of ``nodes`` whose operands break its operator's contract."""
    for node in nodes:
        reason = misfit(node)
        if reason:
            raise EdgeoptError(f"the inputs of {node!r} do not fit together: {reason}; check the model and its shapes")
