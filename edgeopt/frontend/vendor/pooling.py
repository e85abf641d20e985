"""Pooling of codes, of maps whose channels may lie on the last axis."""

from __future__ import annotations

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor.contract import Contract
from edgeopt.frontend.vendor.grids import operands
from edgeopt.ir import Attribute, Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.definition import Body
from edgeopt.ops.quantized import POOL_ATTRIBUTES


def _pool(node: Node, body: Body) -> None:
    """x, x_scale, x_zero, y_scale, y_zero."""
    op = node.op.replace("QLinear", "Quant")
    kept: dict[str, Attribute] = {k: node.attributes[k] for k in POOL_ATTRIBUTES if k in node.attributes}
    if not node.integer("channels_last", 0):
        body.own(op, operands(node, body, 5), "y0", **kept)
        return
    rank = rank_of(node.input(0))
    if rank is None:
        raise EdgeoptError(f"{node!r} pools a map of unknown rank; give the model's inputs a shape")
    first = body.op("Transpose", ["x0"], perm=[0, rank - 1, *range(1, rank - 1)])
    pooled = body.own(op, [first, *operands(node, body, 5)[1:]], "", **kept)
    body.op("Transpose", [pooled], "y0", perm=[0, *range(2, rank), 1])


CONTRACTS = {
    "QLinearAveragePool": Contract(4, 5, _pool, (*POOL_ATTRIBUTES, "channels_last"), optional=(2,)),
    "QLinearGlobalAveragePool": Contract(4, 5, _pool, ("channels_last",), optional=(2,)),
}
