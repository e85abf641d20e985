"""Single layers with random blocks of zeros: stored by their nonzero blocks, dense, and in onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.lookup_layers import Layer, Way, byte_model, float_model, integer_graph, ours, theirs
from edgeopt.forms.sparse import stored
from edgeopt.ir import OWN_DOMAIN, Array, Graph, TensorType, Value
from edgeopt.ir.block_rows import Block
from edgeopt.ops import infer_types
from edgeopt.target import Target


@dataclass(frozen=True)
class Pattern:
    """A share ``density`` of the blocks of a weight, or of the blocks ``zeros``, is not zero; it is stored in ``block``.

    With ``window``, each output keeps that share of every so many of its inputs.
    """

    block: Block
    density: float
    integers: bool
    zeros: Block | None = None
    window: int = 0

    @property
    def name(self) -> str:
        """As tables call it."""
        kind, stored = "int8" if self.integers else "fp32", f"{self.block[0]}x{self.block[1]}"
        if self.window:
            return f"{kind} {round(self.density * self.window)}:{self.window}"
        if self.zeros is None:
            return f"{kind} {stored} {self.density:.0%}"
        return f"{kind} {self.zeros[0]}x{self.zeros[1]} {self.density:.0%} as {stored}"


DENSITIES = (0.5, 0.2, 0.1, 0.05)
KINDS: tuple[tuple[Block, bool], ...] = (((16, 4), True), ((16, 1), False), ((1, 1), False))
WINDOWS = tuple(Pattern((1, 1), stay / 32, i, window=32) for i in (True, False) for stay in (8, 4, 2))  # of matrix products
PATTERNS = (*(Pattern(block, density, integers) for block, integers in KINDS for density in DENSITIES), *WINDOWS)
FINER = tuple(
    Pattern(block, density, integers, zeros)
    for zeros, block, integers in (
        ((4, 1), (16, 1), False),
        ((4, 1), (1, 1), False),
        ((4, 4), (16, 4), True),
    )
    for density in (0.2, 0.1)
)  # zeros in smaller blocks than kernels are made for


def masked(weight: Array, pattern: Pattern, product: bool, seed: int = 0) -> Array:
    """``weight`` with blocks of zeros at random; that of a matrix ``product`` is [inputs, outputs]."""
    outputs_first = weight.T if product else weight
    (outputs, inputs), taps, (height, width) = outputs_first.shape[:2], outputs_first.shape[2:], pattern.zeros or pattern.block
    random = np.random.default_rng(seed).random((-(-outputs // height), -(-inputs // width), *taps))
    kept = _dearest(random, pattern) if pattern.window else random < pattern.density
    mask = kept.repeat(height, axis=0)[:outputs].repeat(width, axis=1)[:, :inputs]
    made = np.where(mask, outputs_first, 0).astype(weight.dtype)
    return np.ascontiguousarray(made.T if product else made)


def _dearest(costs: Array, pattern: Pattern) -> Array:
    """True for as many of each window of inputs as stay."""
    parts = costs.reshape(len(costs), -1, pattern.window)
    stay = round(pattern.density * pattern.window)
    return (np.argsort(np.argsort(parts, axis=2), axis=2) < stay).reshape(costs.shape)


def float_graph(layer: Layer) -> Graph:
    """The layer in float32 with random weights."""
    graph = Graph("layer", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType("float32", layer.shape))]
    weight = np.random.default_rng(0).standard_normal((layer.outputs, layer.channels, *layer.taps)).astype(np.float32)
    array, op = (weight, "FusedConv") if layer.side else (weight.T.copy(), "FusedGemm")
    inputs = [graph.inputs[0], graph.constant("w", array)]
    node = graph.make(op, inputs, [TensorType("float32", layer.result)], None, OWN_DOMAIN, "layer", layer.attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph


def sparse_graph(layer: Layer, pattern: Pattern) -> Graph:
    """The layer with zeros, stored by its nonzero blocks."""
    graph, index = (integer_graph(layer), 3) if pattern.integers else (float_graph(layer), 1)
    (node,) = graph.nodes
    weight = node.constant(index)
    assert weight is not None
    node.set_input(index, graph.constant("masked", masked(weight, pattern, not layer.side)))
    return stored(graph, {node.name: pattern.block})


def ways(layer: Layer, target: Target, peers: bool, known: Sequence[Pattern] = PATTERNS) -> dict[str, Way]:
    """Every way to compute a layer."""
    patterns = [pattern for pattern in known if not (layer.side and pattern.window)]
    found = {pattern.name: ours(sparse_graph(layer, pattern), target) for pattern in patterns}
    found |= {"int8": ours(integer_graph(layer), target), "fp32": ours(float_graph(layer), target)}
    if peers:
        found |= {"onnxruntime": theirs(float_model(layer), layer), "onnxruntime int8": theirs(byte_model(layer), layer)}
    return found
