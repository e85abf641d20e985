"""The one table of operators that can be trained through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import jax.numpy as jnp
from onnx import NodeProto, helper, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, Node, Value
from edgeopt.ops import OWN_OPS
from edgeopt.ops.definition import Body, activation
from edgeopt.training.operators import (
    convolution,
    indexing,
    movement,
    normalization,
    pointwise,
    pooling,
    products,
    recurrent,
    reductions,
    resizing,
)
from edgeopt.training.operators.definition import Operator, Traced
from edgeopt.training.operators.layout import elementwise

FAMILIES = (convolution, pooling, products, pointwise, reductions, normalization, movement, indexing, resizing, recurrent)
OPERATORS: dict[str, Operator] = {name: operator for family in FAMILIES for name, operator in family.OPERATORS.items()}


def apply(node: Node, inputs: Sequence[Traced | None]) -> tuple[Traced, ...]:
    """The outputs of ``node``; own operators by their body. Raises EdgeoptError for an operator that has no gradient here."""
    if node.domain and node.op in OWN_OPS:
        return _run_body(node, inputs)
    if node.domain or node.op not in OPERATORS:
        raise EdgeoptError(f"{node!r} cannot be trained through: there is no gradient of it")
    operator = OPERATORS[node.op]
    if node.op in pointwise.OPERATORS:
        return (elementwise(lambda *turned: operator(node, turned), inputs),)
    made = operator(node, inputs)
    return made if isinstance(made, tuple) else (made,)


def activated(node: Node, product: Traced, residual: Traced | None) -> tuple[Traced, ...]:
    """What FusedConv or FusedGemm makes of its product: the residual is added, and the activation applied."""
    body = Body(_opset(node))
    activation(body, node, "x0", "y0")
    return _run(body, [product if residual is None else elementwise(jnp.add, [product, residual])], 1)


def _run_body(node: Node, inputs: Sequence[Traced | None]) -> tuple[Traced, ...]:
    body = Body(_opset(node))
    OWN_OPS[node.op].build(node, body)
    return _run(body, inputs, len(node.outputs))


def _opset(node: Node) -> int:
    return node.graph.root.opset if node.graph is not None else 21


def _run(body: Body, inputs: Sequence[Traced | None], outputs: int) -> tuple[Traced, ...]:
    values: dict[str, Traced | None] = {f"x{i}": array for i, array in enumerate(inputs)}
    for proto in body.nodes:
        if proto.op_type == "Constant":
            values[proto.output[0]] = numpy_helper.to_array(proto.attribute[0].t)
            continue
        made = apply(_node(proto.SerializeToString(), body.opset), [values[name] if name else None for name in proto.input])
        values.update(zip(proto.output, made, strict=False))
    return tuple(values[f"y{i}"] for i in range(outputs))


@lru_cache(maxsize=4096)
def _node(serialized: bytes, opset: int) -> Node:
    """A node of a body, in a graph of its own that says its opset."""
    proto = NodeProto.FromString(serialized)
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    inputs = [Value(name) if name else None for name in proto.input]
    return Graph(opsets={"": opset}).insert(
        Node(proto.op_type, inputs, [Value(n) for n in proto.output], attributes, proto.domain)
    )
