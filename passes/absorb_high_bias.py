"""The part of a bias that no activation ever falls below -> into the bias of the next layer.

    W2 relu(h) + b2   ->   W2 relu(h - c) + (b2 + W2 c)        c_i = max(0, m_i - 3 d_i)

with m and d the mean and deviation of h = W1 x + b1 per channel (Nagel et al., Data-Free Quantization, 2019, section 4.1.3).
Approximate: exact where h >= c. Not without statistics, without a positive c, for another activation than Relu, for a residual,
a padded second layer (its border reads zeros, not c) or a value that others read.
"""

from collections.abc import Mapping

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import readers, sole_user
from edgeopt.ops.layer import is_linear, is_unpadded, set_weights, shifted_input, shifted_output
from edgeopt.rewrite import Context, Pass

DEVIATIONS = 3.0


def make(statistics: Mapping[str, tuple[Array, Array]]) -> Pass:
    """The pass for known (mean, deviation) of the outputs of layers in front of their activation, by layer name."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if not node.is_own("FusedConv", "FusedGemm") or not is_linear(node) or node.name in done:
            return False
        if node.name not in statistics:
            return context.decline(node, "nothing is known of its outputs")
        second = sole_user(node.output)
        if second is None or not second.is_own(node.op) or not is_linear(second) or second.input(0) is not node.output:
            return context.decline(node, f"{readers(node.output)}, or what follows is no layer of its kind")
        if node.text("activation", "") != "Relu" or node.input(3) is not None or not is_unpadded(second):
            return context.decline(node, "its activation is not Relu, a residual is added, or what follows is padded")
        mean, deviation = statistics[node.name]
        surplus = np.maximum(0.0, mean - DEVIATIONS * deviation)
        if not surplus.any():
            return context.decline(node, "no channel lies three deviations above zero")
        done.add(node.name)
        set_weights(node, None, shifted_output(node, -surplus))
        set_weights(second, None, shifted_input(second, surplus))
        return True

    return Pass("absorb_high_bias", rewrite, roots=("FusedConv", "FusedGemm"), contract="approximate")
