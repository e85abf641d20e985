"""EmbedLayerNormalization: the sum of the embeddings of words, positions and segments, normalized."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor.contract import Contract
from edgeopt.frontend.vendor.normalization import asked, layer_normalization
from edgeopt.ir import Node
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.definition import Body


def _embed(node: Node, body: Body) -> None:
    """ids [N, S], segments, words [V, H], positions [P, H], segment table, gamma, beta, mask [N, S], position ids

    -> y [N, S, H], number of words of each sample [N], sum [N, S, H].
    """
    words = body.op("Gather", ["x2", "x0"])
    total = body.op("Add", [words, _positions(node, body)], "" if node.input(1) is not None else _sum_name(node))
    if node.input(1) is not None:
        total = body.op("Add", [total, body.op("Gather", ["x4", "x1"])], _sum_name(node))
    like = Node(node.op, [node.input(5)], node.outputs, dict(node.attributes), node.domain, node.name)  # of the type of gamma
    layer_normalization(like, body, total, ["x5", "x6"], [-1], ("", ""))
    if asked(node, "y1"):
        _count(node, body)


def _positions(node: Node, body: Body) -> str:
    if node.input(8) is not None:
        return body.op("Gather", ["x3", "x8"])
    shape = shape_of(node.input(0))
    if shape is None:
        raise EdgeoptError(f"{node!r} has ids of unknown length; give the model's inputs a shape")
    ends = (body.constant([bound], "int64") for bound in (0, shape[1], 0))
    return body.op("Slice", ["x3", *ends])


def _count(node: Node, body: Body) -> None:
    """The length of the text of each sample, 0 without a mask."""
    if node.input(7) is not None and dtype_of(node.input(7)) == "int32":
        body.op("ReduceSum", ["x7", body.constant([1], "int64")], "y1", keepdims=0)
    else:
        shape = shape_of(node.input(0)) or (1,)
        body.op("Identity", [body.constant(np.zeros(shape[0]), "int32")], "y1")


def _sum_name(node: Node) -> str:
    return "y2" if asked(node, "y2") else ""


CONTRACTS = {"EmbedLayerNormalization": Contract(7, 9, _embed, ("epsilon", "mask_index_type"), 3, optional=(1, 4))}
