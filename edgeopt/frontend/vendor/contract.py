"""The contract of an operator that has no schema in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgeopt.ir import Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.definition import Body, Build

DOMAIN = "com.microsoft"


@dataclass(frozen=True)
class Contract:
    """Least and most inputs, the meaning, names of attributes, most outputs.

    The first ``least`` inputs are required, except for those in ``optional``.
    """

    least: int
    most: int
    build: Build
    attributes: Sequence[str] = field(default=())
    outputs: int = 1
    optional: Sequence[int] = ()

    def complete(self, inputs: Sequence[str]) -> bool:
        """Whether the names of a node's inputs, '' for those left out, are as many as allowed and the required ones are there."""
        return self.least <= len(inputs) <= self.most and all(inputs[i] or i in self.optional for i in range(self.least))


def given(node: Node, count: int) -> list[str]:
    """The names of the first ``count`` inputs in a body, '' for those left out, without trailing ones."""
    names = [f"x{i}" if node.input(i) is not None else "" for i in range(count)]
    while names and not names[-1]:
        names.pop()
    return names


def transposed(node: Node, body: Body, index: int, permutation: Sequence[int]) -> str:
    """Input ``index`` with its axes in another order; as it is when the order is the same."""
    if list(permutation) == list(range(rank_of(node.input(index)) or 0)):
        return f"x{index}"
    return body.op("Transpose", [f"x{index}"], perm=list(permutation))


def activated(node: Node, body: Body, y: str, parameters: Sequence[float]) -> None:
    """Append the activation that the attribute ``activation`` names with its parameters."""
    kind = node.text("activation", "")
    names = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Elu": ("alpha",), "ThresholdedRelu": ("alpha",)}
    if kind == "Clip":
        body.op("Clip", [y, *(body.constant(v) for v in parameters[:2])], "y0")
    else:
        body.op(kind or "Identity", [y], "y0", 1, **dict(zip(names.get(kind, ()), map(float, parameters), strict=False)))
