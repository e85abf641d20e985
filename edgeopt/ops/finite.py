"""Weights that hold no numbers are refused by name.

NaN in a weight makes every result NaN: such a file is broken. Infinity may be meant (a mask), so that a network which is only
rewritten keeps it; a grid of few codes cannot hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Node

PRODUCTS = ("Conv", "ConvTranspose", "FusedConv", "FusedGemm", "GatedConv", "Gemm", "MatMul", "PReluConv")


def refuse_nan(graph: Graph) -> None:
    """Raise EdgeoptError for a convolution or matrix product of ``graph`` or its subgraphs with NaN in a constant operand."""
    for node in graph.nodes:
        if node.op in PRODUCTS and (name := _operand_with(node, np.isnan)):
            raise EdgeoptError(
                f"{node.op} '{node.name}': its weight '{name}' holds NaN, so every result would be NaN; repair the model"
            )
        for inner in node.subgraphs:
            refuse_nan(inner)


def refuse_infinite(nodes: Iterable[Node]) -> None:
    """Raise EdgeoptError for the first of ``nodes``, which are to be approximated, with NaN or infinity in a constant operand."""
    for node in nodes:
        if name := _operand_with(node, lambda array: ~np.isfinite(array)):
            layer = f"{node.op.removeprefix('Fused')} '{node.name.split('~')[0]}'"
            raise EdgeoptError(
                f"{layer}: its weight '{name}' holds NaN or infinity, which cannot be approximated; repair the model, or compile "
                "it below -O3 and without --quantize, --forms or a recipe"
            )


def _operand_with(node: Node, wrong: Callable[[Array], Array]) -> str:
    """The name of the first constant operand of ``node`` with an element that is ``wrong``; empty when there is none."""
    for index, value in enumerate(node.inputs):
        array = node.constant(index)
        if value is not None and array is not None and array.dtype.kind not in "biuO" and wrong(array).any():
            return value.name
    return ""
