"""The mean error that rounding a weight brings -> out of the bias.

    W' x + b   ->   W' x + (b - (W' - W) E[x])

With E[x] from samples this is empirical correction, with E[x] from batch-norm statistics analytic (Nagel et al., Data-Free
Quantization, 2019, equations 16 to 18): for x = relu(h), h normal with mean m and deviation d,
E[x] = d phi(m / d) + m Phi(m / d). Not without a known mean, without a constant bias, or twice.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.layer import input_channels, is_linear, set_weights, shifted_input, weight
from edgeopt.rewrite import Context, Pass


def make(originals: Mapping[str, Array], means: Mapping[str, Array]) -> Pass:
    """The pass for layers whose weight was ``originals[name]`` and whose inputs have ``means[name]`` [input channels]."""
    done: set[str] = set()

    def rewrite(graph: Graph, node: Node, context: Context) -> bool:
        if not node.is_own("FusedConv", "FusedGemm") or not is_linear(node) or node.name in done:
            return False
        if node.name not in originals or node.name not in means or node.constant(2) is None:
            return context.decline(node, "its original weight or the mean of its input is not known, or it has no bias")
        if means[node.name].shape != (input_channels(node),):
            return context.decline(node, "the mean of its input has another number of channels")
        done.add(node.name)
        rounded, bias = weight(node), node.constant(2)
        assert bias is not None
        set_weights(node, (rounded - originals[node.name]).astype(rounded.dtype), np.zeros_like(bias))
        lost = shifted_input(node, means[node.name])
        set_weights(node, rounded, (bias - lost).astype(bias.dtype))
        return True

    return Pass("bias_correction", rewrite, roots=("FusedConv", "FusedGemm"), contract="approximate")


def rectified_mean(mean: Array, deviation: Array) -> Array:
    """E[relu(h)] for normal h, per channel."""
    d = np.maximum(deviation, 1e-12)
    density = np.exp(-0.5 * np.square(mean / d)) / np.sqrt(2 * np.pi)
    return np.asarray(d * density + mean * ndtr(mean / d))
