"""A layer as a sum of chains of cheaper layers: what takes its place, and the nodes that this becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, TensorType, Value
from edgeopt.ops.inference import infer

FOLLOWS = ("activation", "alpha", "beta")  # attributes of a layer that belong to what follows the product


@dataclass(frozen=True, eq=False)
class Stage:
    """Convolutions of one map, results side by side, each by one of ``weights`` [M, C / group, ...]; or one matrix [K, N].

    ``pads`` (begins, then ends), ``strides`` and ``dilations`` are those of ONNX; empty, they change nothing. ``order`` names the
    channels of the map in the order in which they are read.
    """

    weights: tuple[Array, ...]
    group: int = 1
    pads: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    order: Array | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """Those of a FusedConv."""
        kernel = self.weights[0].shape[2:]
        ones, zeros = (1,) * len(kernel), (0,) * (2 * len(kernel))
        window = {"pads": self.pads or zeros, "strides": self.strides or ones, "dilations": self.dilations or ones}
        return {"kernel_shape": kernel, "group": self.group, **window}


@dataclass(frozen=True, eq=False)
class Chains:
    """``chains`` of stages whose results are summed. ``weight`` and ``bias`` are those that the layer itself would need instead:

    it computes the same with them, up to rounding. ``bias`` is None where the layer keeps its own. ``results`` names the outputs
    of the layer in the order in which the chains compute them; a layer with a residual keeps its order.
    """

    weight: Array
    bias: Array | None
    chains: tuple[tuple[Stage, ...], ...]
    results: Array | None = None

    def constants(self, name: str) -> dict[tuple[str, int], Array]:
        """What the layer ``name`` would need to compute the same, by name and index of the input."""
        return {(name, 1): self.weight, **({} if self.bias is None else {(name, 2): self.bias})}

    @property
    def bytes(self) -> int:
        """Of all weights."""
        return sum(w.nbytes for chain in self.chains for stage in chain for w in stage.weights)


def put_in_place(graph: Graph, node: Node, made: Chains) -> None:
    """Replace the FusedConv or FusedGemm ``node`` by what was ``made`` of it; bias, residual and activation come last."""
    total = node.input(3)
    for chain in made.chains:
        x = node.input(0)
        for stage in chain[:-1]:
            x = _side_by_side(graph, node, x, stage)
        last = chain is made.chains[-1]
        bias = _bias(graph, node, made) if last else None
        total = _layer(graph, node, _ordered(graph, node, x, chain[-1]), chain[-1], chain[-1].weights[0], (bias, total), last)
    assert total is not None
    total = total if made.results is None else _picked(graph, node, total, np.argsort(made.results))
    graph.replace(node.output, total)
    graph.erase(node)


def _bias(graph: Graph, node: Node, made: Chains) -> Value | None:
    """That of the layer or what was made of it, in the order of the results."""
    bias = node.constant(2) if made.bias is None else made.bias
    if bias is None or (made.bias is None and made.results is None):
        return node.input(2)
    return graph.constant(f"{node.name}.bias", bias if made.results is None else bias[made.results])


def _side_by_side(graph: Graph, node: Node, x: Value | None, stage: Stage) -> Value:
    x = _ordered(graph, node, x, stage)
    parts = [_layer(graph, node, x, stage, weight, (None, None), False) for weight in stage.weights]
    return parts[0] if len(parts) == 1 else _typed(graph.make("Concat", parts, [None], node, "", node.name, {"axis": 1}))


def _ordered(graph: Graph, node: Node, x: Value | None, stage: Stage) -> Value | None:
    if stage.order is None:
        return x
    return _picked(graph, node, x, stage.order)


def _picked(graph: Graph, node: Node, x: Value | None, order: Array) -> Value:
    """The channels of ``x`` in another order."""
    indices = graph.constant(f"{node.name}.order", np.asarray(order, np.int64))
    return _typed(graph.make("Gather", [x, indices], [None], node, "", node.name, {"axis": 1}))


def _layer(
    graph: Graph,
    node: Node,
    x: Value | None,
    stage: Stage,
    weight: Array,
    more: tuple[Value | None, Value | None],
    last: bool,
) -> Value:
    """One layer in front of ``node``, with bias and residual ``more``, and the activation of ``node`` when it is the ``last``."""
    attributes = {} if weight.ndim == 2 else stage.attributes
    attributes |= {k: v for k, v in node.attributes.items() if last and k in FOLLOWS}
    inputs = [x, graph.constant(f"{node.name}.weight", weight.astype(np.float32)), *more]
    while inputs[-1] is None:
        inputs.pop()
    made = graph.make(node.op, inputs, [node.output.type if last else None], node, OWN_DOMAIN, node.name, attributes)
    return made.output if last else _typed(made)


def _typed(node: Node) -> Value:
    (found,) = infer(node)
    node.output.type = found if isinstance(found, TensorType) else node.output.type
    return node.output
