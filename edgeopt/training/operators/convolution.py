"""Conv and ConvTranspose. Depthwise ones are sums of shifted products: XLA has no fast form of their gradients on processors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import jax.numpy as jnp
from jax import lax

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced
from edgeopt.training.operators.layout import channels_first, channels_last
from edgeopt.training.operators.windows import Windows, windows_of

SPATIAL = "DHW"
MOST_SHIFTS = 128  # taps of a depthwise window that are written out


def conv(node: Node, inputs: Sequence[Any]) -> Traced:
    """Conv over any number of spatial axes."""
    x, w, bias = (*inputs, None)[:3]
    assert x is not None and w is not None
    windows, group = windows_of(node, x.shape[2:], w.shape[2:]), node.integer("group", 1)
    depthwise = group == x.shape[1] == w.shape[0] > 1 and prod(w.shape[2:]) <= MOST_SHIFTS
    y = (_shifted if depthwise else _convolved)(channels_last(x), w, windows, group)
    return channels_first(y if bias is None else y + bias)


def _convolved(x: Traced, w: Traced, windows: Windows, group: int) -> Traced:
    axes = SPATIAL[-(x.ndim - 2) :]
    return lax.conv_general_dilated(
        x,
        w.transpose((*range(2, w.ndim), 1, 0)),
        windows.strides,
        windows.pads,
        rhs_dilation=windows.dilations,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=group,
    )


def _shifted(x: Traced, w: Traced, windows: Windows, group: int) -> Traced:
    padded = jnp.pad(x, ((0, 0), *windows.pads, (0, 0)))
    outputs = windows.outputs(x.shape[1:-1])
    total = None
    for tap in product(*(range(k) for k in windows.kernel)):
        starts = [t * d for t, d in zip(tap, windows.dilations, strict=True)]
        ends = [s + (n - 1) * stride + 1 for s, n, stride in zip(starts, outputs, windows.strides, strict=True)]
        part = lax.slice(padded, (0, *starts, 0), (len(padded), *ends, group), (1, *windows.strides, 1))
        term = part * w[(slice(None), 0, *tap)]
        total = term if total is None else total + term
    return total


def conv_transpose(node: Node, inputs: Sequence[Any]) -> Traced:
    """ConvTranspose as the convolution of the input with gaps, by the mirrored weight."""
    x, w, bias = (*inputs, None)[:3]
    assert x is not None and w is not None and node.output.type is not None
    rank, group, result = x.ndim - 2, node.integer("group", 1), node.output.type.dims[2:]
    strides, dilations = node.integers("strides", [1] * rank), node.integers("dilations", [1] * rank)
    begins = node.integers("pads", [0] * 2 * rank)[:rank] if _is_explicit(node) else (0,) * rank
    pads = []
    for i, begin in enumerate(begins):
        extent = (w.shape[2 + i] - 1) * dilations[i] + 1
        front = extent - 1 - begin
        pads.append((front, result[i] + extent - 1 - front - ((x.shape[2 + i] - 1) * strides[i] + 1)))
    parts = jnp.flip(w, tuple(range(2, w.ndim))).reshape(group, w.shape[0] // group, *w.shape[1:])
    turned = jnp.swapaxes(parts, 1, 2).reshape(-1, w.shape[0] // group, *w.shape[2:])
    axes = SPATIAL[-rank:]
    y = lax.conv_general_dilated(
        x,
        turned,
        (1,) * rank,
        pads,
        lhs_dilation=strides,
        rhs_dilation=dilations,
        dimension_numbers=(f"NC{axes}", f"OI{axes}", f"NC{axes}"),
        feature_group_count=group,
    )
    return y if bias is None else y + bias.reshape(1, -1, *[1] * rank)


def _is_explicit(node: Node) -> bool:
    """False for VALID, which has no pads. Raises EdgeoptError for pads that follow from the shape of the output."""
    mode = node.text("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID") or node.integers("output_shape"):
        raise EdgeoptError(f"{node!r} cannot be trained through: its pads follow from the shape of its output")
    return mode == "NOTSET"


OPERATORS: dict[str, Operator] = {"Conv": conv, "ConvTranspose": conv_transpose}
