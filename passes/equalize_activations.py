"""Factors between layers that give all channels of what lies between them the same reach.

    W2 move(act(W1 x + b1))   ->   (W2 S) move(act(S^-1 W1 x + S^-1 b1))        S diagonal, s_i = max(r_i, r / 32) / r

with r_i the largest magnitude of channel i in front of the pools and r the largest of all: a grid for the whole value then serves
every channel alike (the activation side of Xiao et al., SmoothQuant, 2023, equation 4, at full strength). ``move`` are pools and
concatenations along the channels, and any number of layers W2 may read. Exact where act(s x) = s act(x) for s > 0: no
activation, Relu, LeakyRelu. Not without known reaches, when a residual is added or the value is one, when another operator or
the caller reads the value, or when the channels reach alike within 5 % already.
"""

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ir.match import rank_of, shape_of
from edgeopt.ops.layer import input_channels, is_linear, output_channels, scaled_input, scaled_output, set_weights
from edgeopt.rewrite import Context, Pass

HOMOGENEOUS = ("", "Relu", "LeakyRelu")
POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool")
MOST = 32.0  # a channel that is quiet on the samples seen may be louder on others
REST = 0.05
Reader = tuple[Node, int]  # a layer, and the first of its input channels that are meant


def make(reaches: Mapping[str, Array]) -> Pass:
    """The pass for known ``reaches`` [output channels] of layers behind their activation, by layer name."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if not is_layer(node) or node.name not in reaches or node.name in done:
            return False
        if node.text("activation", "") not in HOMOGENEOUS or node.input(3) is not None:
            return context.decline(node, "its activation is not positively homogeneous, or a residual is added")
        found = readers_of(graph, node)
        if not found:
            return context.decline(node, "what reads its output is no layer of its kind")
        factor = _factors(reaches[node.name].astype(np.float64))
        if np.abs(factor - 1).max() < REST:
            return context.decline(node, "its channels reach alike")
        done.add(node.name)
        set_weights(node, *scaled_output(node, 1 / factor))
        for reader, first in found:
            whole = np.ones(input_channels(reader))
            whole[first : first + len(factor)] = factor
            set_weights(reader, scaled_input(reader, whole), None)
        return True

    return Pass("equalize_activations", rewrite, roots=("FusedConv", "FusedGemm"))


def is_layer(node: Node) -> bool:
    """True for a FusedConv or FusedGemm with constant weight and bias."""
    return node.is_own("FusedConv", "FusedGemm") and is_linear(node)


def readers_of(graph: Graph, node: Node) -> list[Reader]:
    """The layers that read the channels of ``node``, through pools and concatenations; none when anything else reads them."""
    found: list[Reader] = []
    pending: list[tuple[Value, int]] = [(node.output, 0)]
    while pending:
        value, first = pending.pop()
        if graph.is_output(value) or not value.uses:
            return []
        for user, index in value.uses:
            shift = _shift(user, index)
            if is_layer(user) and user.op == node.op and index == 0:
                found.append((user, first))
            elif node.op == "FusedConv" and user.graph is graph and shift is not None:
                pending.append((user.output, first + shift))
            else:
                return []
    fits = all(first + output_channels(node) <= input_channels(reader) for reader, first in found)
    return found if fits else []


def _shift(node: Node, index: int) -> int | None:
    """Where the channels of input ``index`` begin in the output of a pool or concatenation; None for other operators."""
    if node.is_op(*POOLS) and len(node.outputs) == 1:
        return 0
    if not node.is_op("Concat") or node.integer("axis", 0) % (rank_of(node.output) or 1) != 1:
        return None
    shapes = [shape_of(v) for v in node.inputs[:index]]
    return sum(s[1] for s in shapes if s is not None) if all(s is not None for s in shapes) else None


def _factors(reach: Array) -> Array:
    largest = reach.max(initial=0.0)
    return np.maximum(reach, largest / MOST) / largest if largest > 0 else np.ones_like(reach)
