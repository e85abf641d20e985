"""A float graph as a function of its parameters that JAX can differentiate.

One call is interpreted, and calls are mapped over (``jax.vmap``), so that shapes are those of the graph. What does not depend on
the data is computed by numpy while the function is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import OWN_DOMAIN, Graph, Node, Value
from edgeopt.ir.match import dtype_of
from edgeopt.ops import evaluate
from edgeopt.ops.grids import linear_nodes
from edgeopt.training.operators.definition import Traced
from edgeopt.training.operators.table import apply

Place = tuple[str, int]  # of a constant: the name of the node that reads it, and which input it is
Parameters = Mapping[Place, Traced]
Rounding = Callable[[str, Traced], Traced]  # from the name of a value and its numbers to what is rounded
Layer = Callable[
    [Node, Sequence[Traced | None]], "tuple[Traced, ...] | None"
]  # in place of an operator; None: the operator itself


@dataclass(frozen=True)
class Hooks:
    """What changes on the way: ``constants`` in the place of those of the graph, what is done to each value, and whole layers."""

    constants: Parameters
    rounded: Rounding | None = None
    layer: Layer | None = None


def starting(graph: Graph) -> dict[Place, np.ndarray]:
    """The weights and biases that can be trained, as they are in the graph."""
    found = {}
    for node in linear_nodes(graph):
        for index in (1, 2):
            array = node.constant(index)
            if array is not None:
                found[node.name, index] = array.astype(np.float32)
    return found


def require_trainable(graph: Graph) -> None:
    """Raises EdgeoptError for a graph without layers, with weights that are no numbers, subgraphs, or shapes that data decide."""
    if not linear_nodes(graph):
        raise EdgeoptError(f"graph '{graph.name}' cannot be trained: {_without_layers(graph)}")
    for (name, _), array in starting(graph).items():
        if not np.isfinite(array).all():
            raise EdgeoptError(
                f"layer '{name.split('~')[0]}' cannot be trained: a weight holds NaN or infinity; repair the model"
            )
    for node in graph.nodes:
        if node.subgraphs:
            raise EdgeoptError(f"{node!r} cannot be trained through: it has subgraphs")
        for out in node.outputs:
            if out.name and (out.type is None or not out.type.static):
                raise EdgeoptError(
                    f"{node!r} cannot be trained through: the shape of '{out.name}' is not known; bind it with --shape"
                )


def _without_layers(graph: Graph) -> str:
    """What there is in the place of float32 layers with constant weights."""
    for node in graph.nodes:
        if node.domain == OWN_DOMAIN and node.op.startswith(("Quant", "Hybrid", "Dynamic", "Sparse", "Lookup")):
            return f"its layers have a form already ({node.op} '{node.name}'); give the network as it was in float32"
    for node in graph.nodes:
        if node.is_own("FusedConv", "FusedGemm") and node.constant(1) is not None:
            return f"its layers compute in {dtype_of(node.output)}, and those in float32 can be trained"
    return "it has no convolution or matrix product with constant weights"


def run(graph: Graph, feed: Mapping[str, Traced], names: Sequence[str], hooks: Hooks) -> list[Traced]:
    """The values ``names`` of one call. Raises EdgeoptError for an operator that has no gradient here."""
    values: dict[str, Traced] = {}
    for value in graph.inputs:
        values[value.name] = _rounded(value, feed[value.name], hooks)
    for node in graph.nodes:
        inputs = [_operand(node, index, values, hooks) for index in range(len(node.inputs))]
        for value, made in zip(node.outputs, _outputs(node, inputs, hooks), strict=False):
            if value.name:
                values[value.name] = _rounded(value, made, hooks)
    constants = {value.name: value.array for value in graph.constants}
    return [values[name] if name in values else constants[name] for name in names]


def _outputs(node: Node, inputs: Sequence[Traced | None], hooks: Hooks) -> Sequence[Traced]:
    replaced = hooks.layer(node, inputs) if hooks.layer is not None else None
    if replaced is not None:
        return replaced
    if all(a is None or isinstance(a, (np.ndarray, np.generic)) for a in inputs):
        return evaluate(node, [None if a is None else np.asarray(a) for a in inputs])
    if node.is_op("Shape", "Size") and inputs[0] is not None:
        return evaluate(node, [np.empty(inputs[0].shape, np.float32)])
    return apply(node, inputs)


def _operand(node: Node, index: int, values: Mapping[str, Traced], hooks: Hooks) -> Traced | None:
    value = node.input(index)
    if value is None:
        return None
    return hooks.constants.get((node.name, index), value.array) if value.is_constant else values[value.name]


def _rounded(value: Value, array: Traced, hooks: Hooks) -> Traced:
    return array if hooks.rounded is None else hooks.rounded(value.name, array)
