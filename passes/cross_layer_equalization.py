"""Factors between two layers that even out the ranges of their weights.

    W2 act(W1 x + b1)   ->   (W2 S) act(S^-1 W1 x + S^-1 b1)        S diagonal, s_i = sqrt(r1_i r2_i) / r2_i

with r1_i and r2_i the largest magnitudes of output channel i of W1 and input channel i of W2 (Nagel et al., Data-Free
Quantization, 2019, equation 11). Exact where act(s x) = s act(x) for s > 0: no activation, Relu, LeakyRelu. Not when others read
the value between them, a residual is added, the activation is another, or the factors lie within 5 % of one.
"""

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import readers, sole_user
from edgeopt.ops.layer import input_channels, is_linear, output_channels, scaled_input, scaled_output, set_weights, weight
from edgeopt.rewrite import Context, Pass

HOMOGENEOUS = ("", "Relu", "LeakyRelu")
REST = 0.05


def rewrite(graph: Graph, node: Node, context: Context) -> bool:
    if not node.is_own("FusedConv", "FusedGemm") or not is_linear(node):
        return False
    second = sole_user(node.output)
    if second is None or not second.is_own(node.op) or not is_linear(second) or second.input(0) is not node.output:
        return context.decline(node, f"{readers(node.output)}, or what follows is no layer of its kind")
    if node.text("activation", "") not in HOMOGENEOUS or node.input(3) is not None:
        return context.decline(node, "its activation is not positively homogeneous, or a residual is added")
    if output_channels(node) != input_channels(second):
        return context.decline(node, "its output channels are not the input channels of what follows")
    factor = _factors(_output_reach(node), _input_reach(second))
    if np.abs(factor - 1).max() < REST:
        return context.decline(node, "the ranges are even")
    set_weights(node, *scaled_output(node, 1 / factor))
    set_weights(second, scaled_input(second, factor), None)
    return True


def _factors(first: Array, second: Array) -> Array:
    usable = (first > 0) & (second > 0)
    return np.where(usable, np.sqrt(first / np.where(usable, second, 1.0)), 1.0)


def _output_reach(node: Node) -> Array:
    w = np.abs(weight(node).astype(np.float64))
    axis = 1 if node.op == "FusedGemm" else 0
    return np.asarray(w.max(axis=tuple(i for i in range(w.ndim) if i != axis)))


def _input_reach(node: Node) -> Array:
    w = np.abs(weight(node).astype(np.float64))
    if node.op == "FusedGemm":
        return np.asarray(w.max(axis=1))
    group = node.integer("group", 1)
    blocks = w.reshape(group, w.shape[0] // group, w.shape[1], -1)
    return np.asarray(blocks.max(axis=(1, 3)).reshape(-1))


# Not in the pipeline: in float it only renames numbers.
PASS = Pass("cross_layer_equalization", rewrite, roots=("FusedConv", "FusedGemm"))
