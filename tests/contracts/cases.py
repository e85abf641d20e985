"""A node that keeps its operator's contract, and one change of an operand or an attribute that breaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute, Graph, Node, TensorType, Value
from edgeopt.ops import infer_types
from edgeopt.ops.contracts import misfit

Operand = str | Array | None  # what is computed by its type, as in "float32[1,4]"; a constant; left out


Change = Mapping[int | str, object]
Check = tuple[str, Change, str]  # its name, the change, and what the reason says


@dataclass(frozen=True)
class Case:
    """``change`` maps an input's number or an attribute's name to what it becomes; ``declared`` maps an output to its type."""

    name: str
    op: str
    inputs: Sequence[Operand]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    change: Change = field(default_factory=dict)
    declared: Mapping[int, str] = field(default_factory=dict)
    says: str = ""
    outputs: int = 1
    domain: str = ""
    opset: int = 21

    def node(self, broken: bool) -> Node:
        """The node as it is valid, or with the change."""
        inputs, attributes = list(self.inputs), dict(self.attributes)
        for key, value in self.change.items() if broken else ():
            if isinstance(key, int):
                inputs += [None] * (key + 1 - len(inputs))
                inputs[key] = value  # type: ignore[call-overload]
            else:
                attributes[key] = value
        graph = Graph("case", opsets={"": self.opset, "ai.edgeopt": 1})
        values = [_value(graph, index, operand) for index, operand in enumerate(inputs)]
        graph.inputs = [v for v in values if v is not None and not v.is_constant]
        node = graph.make(self.op, values, [None] * self.outputs, domain=self.domain, name="node", attributes=attributes)
        graph.outputs = list(node.outputs)
        infer_types(graph)
        for index, text in self.declared.items() if broken else ():
            node.outputs[index].type = type_of(text)
        return node


def type_of(text: str) -> TensorType:
    """The type that a text such as "float32[1,4]" names."""
    dtype, _, dims = text.rstrip("]").partition("[")
    return TensorType(dtype, tuple(int(d) for d in dims.split(",") if d))


def _value(graph: Graph, index: int, operand: Operand) -> Value | None:
    if operand is None:
        return None
    return Value(f"x{index}", type_of(operand)) if isinstance(operand, str) else graph.constant(f"c{index}", operand)


def check(case: Case) -> None:
    """The valid node is accepted; the changed one is refused with a reason that says ``says``."""
    assert misfit(case.node(False)) == ""
    reason = misfit(case.node(True))
    assert reason != "", "the misfit was accepted"
    assert case.says in reason


def parametrized(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """One test for each case."""
    return pytest.mark.parametrize("case", [pytest.param(c, id=f"{c.op}-{c.name}") for c in cases])


def ints(*values: int, dtype: str = "int64") -> Array:
    """A constant vector of integers."""
    return np.array(values, dtype)


def number(value: float, dtype: str = "float32") -> Array:
    """A constant of no dimensions."""
    return np.array(value, dtype)


def ones(*shape: int, dtype: str = "float32") -> Array:
    """A constant of ones."""
    return np.ones(shape, dtype)
