"""Weights -> weights of few values, for the layers that were solved.

    Fused(x, W, b)                      ->   Fused(x, W', b')                     W' has few different values
    Fused(x, DequantizeLinear(W), b)    ->   Fused(x, DequantizeLinear(W'), b)    W' are codes of the same grid; also behind Cast
    ConvInteger(x, W), MatMulInteger    ->   the same with W'                     where W are codes that were shared

Approximate. What becomes of the few values is decided where weights are stored.
"""

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.rewrite import Context, Pass

Codes = tuple[Array, Array]  # before and after
Shared = Mapping[str, tuple[Array, Array | None, Codes | None]]
INTEGER = ("ConvInteger", "MatMulInteger")


def make(solution: Shared) -> Pass:
    """The pass for (weight, bias or None, codes of the weight or None where it is on no grid) by layer."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name in done:
            return False
        done.add(node.name)
        if node.is_op(*INTEGER):
            return _set_codes(graph, node, solution)
        if node.name not in solution or not node.is_own("FusedConv", "FusedGemm"):
            return False
        _set(graph, node, *solution[node.name])
        return True

    return Pass("share_weights", rewrite, contract="approximate")


def _set_codes(graph: Graph, node: Node, solution: Shared) -> bool:
    """A layer that was taken apart has lost its name: it is known by its codes."""
    old = node.constant(1)
    for _, _, codes in solution.values():
        if codes is not None and old is not None and np.array_equal(codes[0], old):
            node.set_input(1, graph.constant(f"{node.name}.weight", codes[1].astype(old.dtype)))
            return True
    return False


def _set(graph: Graph, node: Node, weight: Array, bias: Array | None, codes: Codes | None) -> None:
    value = node.input(1)
    assert value is not None
    carrier, index = (node, 1) if value.is_constant or value.producer is None else (value.producer, 0)
    old = carrier.input(index)
    assert old is not None and old.type is not None
    stored = weight if codes is None else codes[1]
    carrier.set_input(index, graph.constant(f"{node.name}.weight", stored.astype(old.array.dtype), old.type.dtype))
    if bias is not None and codes is None:
        node.set_input(2, graph.constant(f"{node.name}.bias", bias))
