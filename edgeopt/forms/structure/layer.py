"""A convolution or matrix product as the techniques of structure see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeopt.forms.moments import grouped, ungrouped
from edgeopt.ir import Array, Node
from edgeopt.ir.match import dtype_of, shape_of
from edgeopt.ops.chain import Chains, Stage
from edgeopt.ops.grids import LINEAR
from edgeopt.ops.layer import pads_of
from edgeopt.ops.macs import macs

if TYPE_CHECKING:
    from edgeopt.forms.structure.metric import Metric

LARGEST = 4608  # inputs of an output channel (512 x 3 x 3); the moments of more take too long; chosen by hand


@dataclass(frozen=True, eq=False)
class Layer:
    """The ``shape`` of the weight (groups, outputs, inputs, taps), ``kernel`` and places of the maps.

    A matrix product has one tap. ``wanted`` is a weight in place of the node's own.
    """

    node: Node
    shape: tuple[int, int, int, int]
    kernel: tuple[int, ...]
    places: tuple[int, ...]  # along the spatial axes of the input
    results: tuple[int, ...]  # along those of the output
    rows: int  # in a batch
    wanted: Array | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Outputs and inputs of a group, and taps."""
        return self.shape[1:]

    @cached_property
    def weight(self) -> Array:
        """[groups, outputs, inputs, taps] in float64."""
        given, own = self.wanted, self.node.constant(1)
        assert own is not None
        return (grouped(self.node, own) if given is None else given).reshape(self.shape)

    @property
    def window(self) -> dict[str, Any]:
        """Pads, strides and dilations, for a Stage."""
        axes = len(self.kernel)
        pads, ones = pads_of(self.node, axes), (1,) * axes
        assert pads is not None
        return {"pads": pads, "strides": self.node.integers("strides", ones), "dilations": self.node.integers("dilations", ones)}

    def along(self, axis: int) -> dict[str, Any]:
        """The window along one spatial axis alone."""
        axes = len(self.kernel)
        window = {"pads": [0] * 2 * axes, "strides": [1] * axes, "dilations": [1] * axes}
        for name, places in (("pads", (axis, axis + axes)), ("strides", (axis,)), ("dilations", (axis,))):
            for place in places:
                window[name][place] = self.window[name][place]
        return {name: tuple(values) for name, values in window.items()}

    def kernels(self, rows: Array) -> Array:
        """``rows`` [channels, inputs, taps] as a weight of convolutions, or [channels, inputs] as one of 1x1."""
        return rows.reshape(*rows.shape[:2], *(self.kernel if rows.ndim == 3 else (1,) * len(self.kernel))).astype(np.float32)

    def became(self, chains: tuple[tuple[Stage, ...], ...], made: Array, metric: Metric, results: Array | None = None) -> Chains:
        """The Chains that stand for the weight ``made`` [groups, outputs, inputs, taps], in an order of ``results``."""
        rows = made.reshape(*made.shape[:2], -1)
        weight = ungrouped(self.node, rows, self.node.constant(1).shape).astype(np.float32)  # type: ignore[union-attr]
        return Chains(weight, metric.bias(self.node, weight), chains, results)


def layer_of(node: Node) -> Layer | None:
    """The Layer of a FusedConv or FusedGemm in float32 with constant weights, known shapes and explicit pads; None for others."""
    weight, x, y = node.constant(1), shape_of(node.input(0)), shape_of(node.output)
    if not node.is_own(*LINEAR) or dtype_of(node.output) != "float32" or weight is None or x is None or y is None:
        return None
    if node.input(2) is not None and node.constant(2) is None:
        return None
    if node.op == "FusedGemm":
        fits = weight.ndim == 2 and len(weight) <= LARGEST
        return Layer(node, (1, weight.shape[1], weight.shape[0], 1), (), (), (), prod(y[:-1])) if fits else None
    if pads_of(node, weight.ndim - 2) is None or prod(weight.shape[1:]) > LARGEST:
        return None
    groups = node.integer("group", 1)
    shape = (groups, weight.shape[0] // groups, weight.shape[1], prod(weight.shape[2:]))
    return Layer(node, shape, weight.shape[2:], x[2:], y[2:], x[0])


def cheaper(layer: Layer, work: int) -> int | None:
    """``work`` for a row of the batch, in multiply-accumulates of all, when it is less than that of the layer; else None."""
    total, before = layer.rows * work, macs(layer.node)
    return total if before is not None and total < before else None
