"""Networks of one layer for each kind of kernel, small enough to log every block that an emulator executes.

``python -m benchmarks.arm_instructions --kinds`` counts them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(0)
SAME, SAME_3D = [1, 1, 1, 1], [1] * 6
Shape = tuple[int, ...]


def layer(op: str, x: Shape, *weights: Shape, **attributes: Any) -> onnx.ModelProto:
    """One node that reads x and random constants of the shapes ``weights``; its result has any shape."""
    names = [f"w{i}" for i in range(len(weights))]
    arrays = [(RANDOM.standard_normal(s) * 0.1).astype(np.float32) for s in weights]
    node = helper.make_node(op, ["x", *names], ["y"], op.lower(), **attributes)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, x)
    constants = [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
    graph = helper.make_graph([node], op, [given], [onnx.ValueInfoProto(name="y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def attention(tokens: int, size: int) -> onnx.ModelProto:
    """One head that attends to its own input: scores, softmax, values."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["keys"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["x", "keys"], ["scores"]),
        helper.make_node("Mul", ["scores", "scale"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["shares"], axis=-1),
        helper.make_node("MatMul", ["shares", "x"], ["y"]),
    ]
    info = helper.make_tensor_value_info
    shape = [1, 2, tokens, size]
    ends = [info("x", TensorProto.FLOAT, shape)], [info("y", TensorProto.FLOAT, shape)]
    scale = numpy_helper.from_array(np.array(size**-0.5, np.float32), "scale")
    graph = helper.make_graph(nodes, "attention", *ends, [scale])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def kinds() -> dict[str, onnx.ModelProto]:
    """The layers by what they are called in the table."""
    return {
        "transposed 2x2": layer("ConvTranspose", (1, 32, 14, 14), (32, 32, 2, 2), strides=[2, 2]),
        "transposed 4x4": layer("ConvTranspose", (1, 32, 14, 14), (32, 32, 4, 4), strides=[2, 2], pads=SAME),
        "1-D": layer("Conv", (1, 32, 128), (32, 32, 3), pads=[1, 1]),
        "3-D": layer("Conv", (1, 16, 6, 12, 12), (16, 16, 3, 3, 3), pads=SAME_3D),
        "groups of 4": layer("Conv", (1, 32, 14, 14), (32, 4, 3, 3), pads=SAME, group=8),
        "groups of 16": layer("Conv", (1, 64, 14, 14), (64, 16, 3, 3), pads=SAME, group=4),
        "depthwise": layer("Conv", (1, 32, 28, 28), (32, 1, 3, 3), pads=SAME, group=32),
        "attention": attention(64, 32),
        "softmax": layer("Softmax", (1, 64, 200), axis=-1),
        "layer norm": layer("LayerNormalization", (1, 64, 192), (192,), (192,), axis=-1),
        "LSTM": layer("LSTM", (16, 1, 32), (1, 256, 32), (1, 256, 64), (1, 512), hidden_size=64),
        "GRU": layer("GRU", (16, 1, 32), (1, 192, 32), (1, 192, 64), (1, 384), hidden_size=64, linear_before_reset=1),
    }
