"""Weights -> weights of few values, for the layers that were solved.

    Fused(x, W, b)                      ->   Fused(x, W', b')                     W' has few different values,
                                                                                  or is DequantizeLinear of few codes
    Fused(x, DequantizeLinear(W), b)    ->   Fused(x, DequantizeLinear(W'), b)    W' are codes of the same grid; also behind Cast
    ConvInteger(x, W), MatMulInteger    ->   the same with W'                     where W are codes that were shared

Approximate. What becomes of the few values is decided where weights are stored.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.qdq import dequantize_constant
from edgeopt.rewrite import Context, Pass

Codes = tuple[Array, Array]  # before and after


class Shared(NamedTuple):
    """A weight, its bias where that changes, its codes where it lies on a grid, and the ``grid`` where it is put on one."""

    weight: Array
    bias: Array | None = None
    codes: Codes | None = None
    grid: Quantizer | None = None


INTEGER = ("ConvInteger", "MatMulInteger")


def make(solution: Mapping[str, Shared]) -> Pass:
    """The pass for what was solved, by layer."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if node.name in done:
            return False
        done.add(node.name)
        if node.is_op(*INTEGER):
            return _set_codes(graph, node, solution)
        if node.name not in solution or not node.is_own("FusedConv", "FusedGemm"):
            return False
        _set(graph, node, solution[node.name])
        return True

    return Pass("share_weights", rewrite, contract="approximate")


def _set_codes(graph: Graph, node: Node, solution: Mapping[str, Shared]) -> bool:
    """A layer that was taken apart has lost its name: it is known by its codes."""
    old = node.constant(1)
    for codes in [made.codes for made in solution.values()]:
        if codes is not None and old is not None and np.array_equal(codes[0], old):
            node.set_input(1, graph.constant(f"{node.name}.weight", codes[1].astype(old.dtype)))
            return True
    return False


def _set(graph: Graph, node: Node, made: Shared) -> None:
    value = node.input(1)
    assert value is not None
    carrier, index = (node, 1) if value.is_constant or value.producer is None else (value.producer, 0)
    old = carrier.input(index)
    assert old is not None and old.type is not None
    if made.grid is not None:
        node.set_input(1, dequantize_constant(graph, f"{node.name}.weight", made.grid.quantize(made.weight), made.grid, node))
    else:
        stored = made.weight if made.codes is None else made.codes[1]
        carrier.set_input(index, graph.constant(f"{node.name}.weight", stored.astype(old.array.dtype), old.type.dtype))
    if made.bias is not None and made.codes is None:
        node.set_input(2, graph.constant(f"{node.name}.bias", made.bias))
