"""How an operator of the domain ``ai.edgeopt`` is defined: its meaning is a body of standard ONNX nodes, written once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Node
from edgeopt.ops.work import Count, no_work


@dataclass
class Body:
    """Collects the standard nodes of a function body. Inputs are named ``x0, x1, ...`` and outputs ``y0, y1, ...``.

    ``prefix`` begins the names of all values in between; those of a subgraph need one of their own.
    """

    opset: int
    nodes: list[NodeProto] = field(default_factory=list)
    prefix: str = "t"

    def op(self, name: str, inputs: Sequence[str], output: str = "", outputs: int = 1, **attributes: Attribute) -> str:
        """Append one standard node; returns the name of its (first) output."""
        first = output or f"{self.prefix}{len(self.nodes)}"
        self.call(name, inputs, [first, *(f"{first}_{i}" for i in range(1, outputs))], "", **attributes)
        return first

    def call(self, name: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, **attributes: Attribute) -> None:
        """Append one node with all its outputs named ('' for one that is left out)."""
        present: dict[str, Any] = {k: v for k, v in attributes.items() if v is not None and v != () and v != []}
        self.nodes.append(helper.make_node(name, list(inputs), list(outputs), domain=domain, **present))

    def own(self, name: str, inputs: Sequence[str], output: str = "", **attributes: Attribute) -> str:
        """Append one node of an own operator, for a body that is unfolded into a graph; returns the name of its output."""
        output = output or f"{self.prefix}{len(self.nodes)}"
        self.call(name, inputs, [output], OWN_DOMAIN, **attributes)
        return output

    def constant(self, value: Array | Sequence[int] | float | int, dtype: str = "float32") -> str:
        """Append a Constant node; returns the name of its output."""
        array = np.asarray(value, dtype=dtype)
        return self.op("Constant", [], value=numpy_helper.from_array(array))


Build = Callable[[Node, Body], None]


@dataclass(frozen=True)
class OwnOp:
    """An operator of ``ai.edgeopt``: everything that is true of it, in one place.

    ``build`` appends the standard nodes that mean ``node`` to a Body, which may depend on attributes, on which inputs are present
    and on input types; the exporter gives every variant a model-local function of its own and keeps the attributes on the calling
    node. ``macs`` counts its multiply-accumulates. ``samplewise``: each sample of the result depends on its own alone.
    ``numeric`` is what it computes in. ``maps``: its kernels may write the channels of a map that is concatenated in place.
    """

    name: str
    build: Build
    macs: Count = no_work
    samplewise: bool = True
    numeric: Literal["float", "integer"] = "float"
    maps: bool = False


def activation(body: Body, node: Node, x: str, output: str) -> None:
    """Append the activation named by the attributes ``activation``, ``alpha`` and ``beta`` of ``node`` (Identity if none).

    ``Clip`` limits to [alpha, beta]; ``LeakyRelu`` and ``HardSigmoid`` take them as ONNX does; ``HardSwish`` is
    x * max(0, min(1, x / 6 + 0.5)); ``Silu`` is x * sigmoid(x), ``Gelu`` that of erf; the others (Relu, Sigmoid, Tanh) take none.
    """
    kind = node.text("activation", "")
    if kind == "Clip":
        low, high = (body.constant(node.real(k, 0.0)) for k in ("alpha", "beta"))
        body.op("Clip", [x, low, high], output)
    elif kind == "HardSwish":
        body.op("Mul", [x, body.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5)], output)
    elif kind == "Silu":
        body.op("Mul", [x, body.op("Sigmoid", [x])], output)
    elif kind == "Gelu":
        gelu(body, x, output)
    elif kind == "LeakyRelu":
        body.op("LeakyRelu", [x], output, alpha=node.real("alpha", 0.01))
    elif kind == "HardSigmoid":
        body.op("HardSigmoid", [x], output, alpha=node.real("alpha", 0.2), beta=node.real("beta", 0.5))
    else:
        body.op(kind or "Identity", [x], output)


def gelu(body: Body, x: str, output: str, dtype: str = "float32") -> None:
    """Append x / 2 * (1 + erf(x / sqrt 2))."""
    half, one, root = (body.constant(c, dtype) for c in (0.5, 1.0, math.sqrt(0.5)))
    bend = body.op("Erf", [body.op("Mul", [x, root])])
    body.op("Mul", [body.op("Mul", [x, half]), body.op("Add", [bend, one])], output)


def element_type(node: Node) -> str:
    """The element type of the first input of ``node``; float32 when it is unknown."""
    value = node.input(0)
    return value.type.dtype if value is not None and value.type is not None else "float32"
