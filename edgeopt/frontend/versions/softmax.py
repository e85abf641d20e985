"""Softmax, LogSoftmax and Hardmax before operator set 13: over all axes from ``axis`` on, as if they were one."""

from __future__ import annotations

from edgeopt.frontend.versions.adapter import Adapter
from edgeopt.ir import Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.definition import Body


def _softmax(node: Node, body: Body) -> None:
    flattened(node.op, node, body)


def flattened(op: str, node: Node, body: Body) -> None:
    """Append ``op`` of x0 over all axes from ``axis`` (default 1) on; over the last one alone nothing is flattened."""
    axis, rank = node.integer("axis", 1), rank_of(node.input(0))
    if rank is not None and axis in (-1, rank - 1):
        body.op(op, ["x0"], "y0", axis=-1)
    else:
        matrix = body.op(op, [body.op("Flatten", ["x0"], axis=axis)], axis=-1)
        body.op("Reshape", [matrix, body.op("Shape", ["x0"])], "y0")


ADAPTERS = {op: Adapter(13, _softmax) for op in ("Softmax", "LogSoftmax", "Hardmax")}
