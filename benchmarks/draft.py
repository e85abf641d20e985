"""Networks with random weights, written one operator after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeopt.ir import Array


class Draft:
    """Nodes so far; ``last`` names the value that the next operator reads, which starts as the input x."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self.last = "x"

    def op(self, kind: str, *arrays: Any, **attributes: Any) -> str:
        """A node on the last value and constants; the name of its result."""
        names = [f"t{len(self.tensors) + i}" for i in range(len(arrays))]
        self.tensors += [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
        return self.join(kind, [self.last, *names], **attributes)

    def join(self, kind: str, values: list[str], **attributes: Any) -> str:
        """A node on values by name."""
        self.last = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, values, [self.last], **attributes))
        return self.last

    def weight(self, *shape: int) -> Array:
        """Weights that keep the size of what they are applied to."""
        depth = int(np.prod(shape[1:]))
        return np.asarray(self.random.standard_normal(shape) * (2 / depth) ** 0.5, np.float32)

    def dense(self, outputs: int, inputs: int, activation: str = "") -> str:
        """A product with a bias, and what follows it."""
        self.op("Gemm", self.weight(outputs, inputs), np.zeros(outputs, np.float32), transB=1)
        return self.op(activation) if activation else self.last

    def model(self, shape: list[int], result: list[int]) -> ModelProto:
        """The model from x to the last value."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, result)
        graph = helper.make_graph(self.nodes, "draft", [x], [y], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
