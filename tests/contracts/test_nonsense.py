"""Whatever the operands are, a rule answers with a sentence or with none; it never fails on what it judges."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from onnx import AttributeProto

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, TensorType, Value
from edgeopt.ops.contracts import RULES, misfit
from edgeopt.ops.table import OWN_OPS, attribute_kinds, schema

DTYPES = ("float32", "float32", "int64", "int64", "int8", "uint8", "bool")
DRAWS = 60
OPSETS = (13, 17, 18, 21, 24)
TEXTS = ("", "SAME_UPPER", "VALID", "reverse", "edge", "wrap", "ij,jk->ik", "...i,ij", "a->", "tf_crop_and_resize")
ATTRIBUTES: dict[int, Callable[[random.Random], Attribute]] = {
    AttributeProto.INT: lambda rng: rng.choice((-9, -2, -1, 0, 0, 1, 1, 2, 3, 1 << 40)),
    AttributeProto.FLOAT: lambda rng: rng.choice((-1.0, 0.0, 0.5, float("nan"))),
    AttributeProto.INTS: lambda rng: [rng.choice((-2, -1, 0, 1, 1, 2, 3)) for _ in range(rng.randrange(6))],
    AttributeProto.STRING: lambda rng: rng.choice(TEXTS),
    AttributeProto.STRINGS: lambda rng: ["Tanh"] * rng.randrange(5),
    AttributeProto.TENSOR: lambda rng: np.zeros(rng.randrange(3), np.float32),
}


def shape(rng: random.Random) -> tuple[int, ...]:
    """Mostly ones of a kind, so that operands often fit by chance and the later parts of a rule are reached."""
    if rng.random() < 0.7:
        return rng.choice(((), (1,), (2,), (4,), (2, 4), (4, 4), (2, 4, 4), (2, 4, 4, 4), (4, 4, 1, 1), (2, 2, 3, 3)))
    return tuple(rng.choice((0, 1, 2, 3, 4)) for _ in range(rng.randrange(6)))


def value(rng: random.Random, graph: Graph, name: str) -> Value | None:
    """Left out, of unknown type, of open shape, computed or constant."""
    dims, dtype, kind = shape(rng), rng.choice(DTYPES), rng.random()
    if kind < 0.15:
        return None
    if kind < 0.2:
        return Value(name, TensorType(dtype, (None, *dims)) if kind < 0.18 else None)
    return graph.constant(name, data(rng, dims, dtype)) if kind < 0.6 else Value(name, TensorType(dtype, dims))


def data(rng: random.Random, dims: tuple[int, ...], dtype: str) -> Array:
    return np.random.default_rng(rng.randrange(1 << 30)).integers(-2, 5, dims).astype(dtype)


def node(rng: random.Random, op: str) -> Node:
    """A node of ``op`` with attributes, inputs and declared results that were drawn blindly."""
    own = op in OWN_OPS and (schema(op, "", 24) is None or rng.random() < 0.5)
    graph = Graph("nonsense", opsets={"": rng.choice(OPSETS), OWN_DOMAIN: 1})
    kinds = attribute_kinds(op, "", graph.opset) or {"axis": int(AttributeProto.INT), "pads": int(AttributeProto.INTS)}
    drawn: dict[str, Attribute] = {n: ATTRIBUTES[k](rng) for n, k in kinds.items() if k in ATTRIBUTES and rng.random() < 0.5}
    inputs = [value(rng, graph, f"x{i}") for i in range(rng.randrange(1, 10))]
    types = [TensorType(rng.choice(DTYPES), shape(rng)) if rng.random() < 0.7 else None for _ in range(rng.randrange(1, 4))]
    return graph.make(op, inputs, types, domain=OWN_DOMAIN if own else "", attributes=drawn)


@pytest.mark.parametrize("op", sorted(RULES))
def test_a_rule_judges_nonsense(op: str) -> None:
    rng = random.Random(op)
    answers = [misfit(node(rng, op)) for _ in range(DRAWS)]
    assert any(answers)
