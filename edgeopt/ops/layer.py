"""Operators that are linear in a constant weight, and how a factor or an offset per channel moves into that weight.

``FusedConv``: W [M, C/g, kernel...], channels on axis 1. ``ConvTranspose``: W [C, M/g, kernel...], channels on axis 1.
``FusedGemm``: W [K, N], channels on the last axis. Sums are taken in float64 and rounded once.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array, Graph, Node
from edgeopt.ir.match import graph_of, integers, rank_of, shape_of

LINEAR = ("FusedConv", "FusedGemm", "ConvTranspose")
PRECISE = ("float32", "float64")


def is_linear(node: Node | None) -> bool:
    """True for a FusedConv, FusedGemm or ConvTranspose with constant float32 or float64 weight and bias."""
    if node is None or not (node.is_own("FusedConv", "FusedGemm") or node.is_op("ConvTranspose")):
        return False
    weight, bias = node.constant(1), node.constant(2)
    return weight is not None and weight.dtype.name in PRECISE and (bias is not None or node.input(2) is None)


def is_plain(node: Node) -> bool:
    """True when neither an activation nor a residual follows the product inside the node."""
    return not node.text("activation", "") and node.input(3) is None


def channel_axis(node: Node) -> int:
    """The axis of input and output that holds the channels. Raises ValueError when the rank is unknown."""
    rank = rank_of(node.output)
    if rank is None:
        raise ValueError(f"the rank of {node!r} is unknown")
    return rank - 1 if node.is_own("FusedGemm") else 1


def weight(node: Node) -> Array:
    """The constant weight. Raises ValueError when it is computed."""
    array = node.constant(1)
    if array is None:
        raise ValueError(f"the weight of {node!r} is not constant")
    return array


def output_channels(node: Node) -> int:
    """The number of output channels."""
    shape: tuple[int, ...] = weight(node).shape
    if node.is_op("ConvTranspose"):
        return shape[1] * node.integer("group", 1)
    return shape[1] if node.is_own("FusedGemm") else shape[0]


def input_channels(node: Node) -> int:
    """The number of input channels."""
    shape: tuple[int, ...] = weight(node).shape
    return shape[1] * node.integer("group", 1) if node.is_own("FusedConv") else shape[0]


def scaled_output(node: Node, scale: Array) -> tuple[Array, Array | None]:
    """Weight and bias of the node whose output is multiplied by ``scale`` [output channels]."""
    w, b, scale = weight(node), node.constant(2), scale.astype(np.float64)
    bias = None if b is None else (b * scale).astype(w.dtype)
    if node.is_own("FusedGemm"):
        return (w * scale).astype(w.dtype), bias
    if node.is_own("FusedConv"):
        return (w * _column(scale, w.ndim)).astype(w.dtype), bias
    group = node.integer("group", 1)
    blocks = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    factor = scale.reshape(group, 1, -1, *[1] * (w.ndim - 2))
    return (blocks * factor).astype(w.dtype).reshape(w.shape), bias


def shifted_output(node: Node, shift: Array) -> Array:
    """Bias of the node to whose output ``shift`` [output channels] is added."""
    b = node.constant(2)
    total = shift.astype(np.float64) + (0.0 if b is None else b.astype(np.float64))
    return total.astype(weight(node).dtype)


def scaled_input(node: Node, scale: Array) -> Array:
    """Weight of the node whose input is multiplied by ``scale`` [input channels]."""
    w, scale = weight(node), scale.astype(np.float64)
    if not node.is_own("FusedConv"):
        return (w * _column(scale, w.ndim)).astype(w.dtype)
    group = node.integer("group", 1)
    blocks = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    factor = scale.reshape(group, 1, -1, *[1] * (w.ndim - 2))
    return (blocks * factor).astype(w.dtype).reshape(w.shape)


def shifted_input(node: Node, shift: Array) -> Array:
    """Bias of the unpadded FusedConv or FusedGemm to whose input ``shift`` [input channels] is added."""
    w, shift = weight(node).astype(np.float64), shift.astype(np.float64)
    if node.is_own("FusedGemm"):
        return shifted_output(node, shift @ w)
    group = node.integer("group", 1)
    taps = w.reshape(group, w.shape[0] // group, w.shape[1], -1).sum(axis=3)
    return shifted_output(node, np.einsum("gmc,gc->gm", taps, shift.reshape(group, -1)).reshape(-1))


def is_unpadded(node: Node) -> bool:
    """True when no output of the convolution reads outside of the input (always true of FusedGemm)."""
    automatic = node.text("auto_pad", "NOTSET")
    return node.is_own("FusedGemm") or automatic == "VALID" or (automatic == "NOTSET" and not any(node.integers("pads")))


def set_weights(node: Node, new_weight: Array | None, new_bias: Array | None) -> None:
    """Give ``node`` new constants; None leaves one as it is."""
    graph: Graph = graph_of(node)
    for index, array in ((1, new_weight), (2, new_bias)):
        if array is not None:
            stem = f"{node.name}.{'weight' if index == 1 else 'bias'}"
            node.set_input(index, graph.constant(stem, array))


def pads_of(node: Node, spatial: int) -> tuple[int, ...] | None:
    """The explicit pads of a convolution or pooling node (begins, then ends), or None with an automatic padding."""
    automatic = node.text("auto_pad", "NOTSET")
    if automatic == "VALID":
        return (0,) * (2 * spatial)
    return node.integers("pads", (0,) * (2 * spatial)) if automatic == "NOTSET" else None


def spatial_pad(pad: Node) -> tuple[float, tuple[int, ...]] | None:
    """(value, pads of the axes from 2 on) of a constant Pad that leaves the first two axes alone and crops nothing."""
    shape, pads = shape_of(pad.input(0)), integers(pad, 1)
    if shape is None or pads is None or pad.text("mode", "constant") != "constant" or any(p < 0 for p in pads):
        return None
    rank, value = len(shape), pad.constant(2)
    axes = [a % rank for a in integers(pad, 3) or range(rank)]
    begins, ends = [0] * rank, [0] * rank
    for position, axis in enumerate(axes):
        begins[axis], ends[axis] = pads[position], pads[position + len(axes)]
    if rank < 3 or any(begins[:2] + ends[:2]) or (pad.input(2) is not None and value is None):
        return None
    return (0.0 if value is None else float(value.reshape(-1)[0])), (*begins[2:], *ends[2:])


def _column(vector: Array, rank: int) -> Array:
    return vector.reshape(-1, *[1] * (rank - 1))
