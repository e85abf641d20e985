"""Small valid ONNX models, built in memory, one per thing the frontend must carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RANDOM = np.random.default_rng(7)


def info(name: str, shape: Sequence[int | str | None] | None, code: int = FLOAT) -> ValueInfoProto:
    """A named tensor type."""
    return helper.make_tensor_value_info(name, code, shape)


def weight(name: str, *shape: int) -> TensorProto:
    """A float initializer of random values."""
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name)


def ints(name: str, *values: int) -> TensorProto:
    """An int64 initializer."""
    return numpy_helper.from_array(np.asarray(values, np.int64), name)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    constants: Sequence[TensorProto] = (),
    opset: int = 17,
    functions: Sequence[FunctionProto] = (),
    domains: Sequence[str] = (),
) -> ModelProto:
    """A model of one graph."""
    graph = helper.make_graph(list(nodes), "small", list(inputs), list(outputs), list(constants))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def convolution(batch: int | str | None = 1, opset: int = 17) -> ModelProto:
    """Conv, Relu, MaxPool, Flatten, Gemm."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "g"], ["y"], "gemm"),
    ]
    constants = [weight("w", 4, 3, 3, 3), weight("b", 4), weight("g", 64, 5)]
    return model(nodes, [info("x", [batch, 3, 8, 8])], [info("y", [batch, 5])], constants, opset)


def computed_reshape() -> ModelProto:
    """A Reshape whose shape is computed from the shape of the input."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Gather", ["s", "zero"], ["n"], "gather"),
        helper.make_node("Cast", ["n"], ["float"], "cast_out", to=FLOAT),
        helper.make_node("Cast", ["float"], ["whole"], "cast_back", to=INT64),
        helper.make_node("Concat", ["whole", "rest"], ["target"], "concat", axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"], "reshape"),
    ]
    return model(nodes, [info("x", [2, 3, 4])], [info("y", [None, None])], [ints("zero", 0), ints("rest", -1)])


def _branch(name: str, op: str) -> GraphProto:
    node = helper.make_node(op, ["x", "w"], [f"{name}_y"], f"{name}_node")
    return helper.make_graph([node], name, [], [info(f"{name}_y", [2, 2])])


def branches() -> ModelProto:
    """If whose branches read an input and an initializer of the enclosing graph."""
    graphs = {"then_branch": _branch("then", "Add"), "else_branch": _branch("else", "Sub")}
    node = helper.make_node("If", ["flag"], ["y"], "choose", **graphs)
    return model([node], [info("x", [2, 2]), info("flag", [], BOOL)], [info("y", [2, 2])], [weight("w", 2, 2)])


def loop() -> ModelProto:
    """Loop of four trips with a carried state and a collected output."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "w"], ["next"], "step"),
            helper.make_node("Identity", ["going"], ["on"], "keep"),
            helper.make_node("Identity", ["next"], ["seen"], "see"),
        ],
        "body",
        [info("trip", [], INT64), info("going", [], BOOL), info("state", [3])],
        [info("on", [], BOOL), info("next", [3]), info("seen", [3])],
    )
    node = helper.make_node("Loop", ["count", "", "x"], ["last", "all"], "loop", body=body)
    count = numpy_helper.from_array(np.asarray(4, np.int64), "count")
    return model([node], [info("x", [3])], [info("last", [3]), info("all", [None, 3])], [count, weight("w", 3)])


def scan() -> ModelProto:
    """Scan that accumulates along the first axis, reading backwards."""
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "item"], ["total"], "add"), helper.make_node("Identity", ["total"], ["each"], "emit")],
        "body",
        [info("sum", [2]), info("item", [2])],
        [info("total", [2]), info("each", [2])],
    )
    node = helper.make_node("Scan", ["start", "x"], ["end", "y"], "scan", body=body, num_scan_inputs=1, scan_input_directions=[1])
    return model([node], [info("start", [2]), info("x", [5, 2])], [info("end", [2]), info("y", [5, 2])])


def function() -> ModelProto:
    """A model-local function of a foreign domain, called twice."""
    body = [helper.make_node("Mul", ["a", "a"], ["m"]), helper.make_node("Add", ["m", "b"], ["c"])]
    square = helper.make_function("custom", "SquareAdd", ["a", "b"], ["c"], body, [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("SquareAdd", ["x", "w"], ["t"], "one", domain="custom")]
    nodes += [helper.make_node("SquareAdd", ["t", "x"], ["y"], "two", domain="custom")]
    return model(nodes, [info("x", [2, 2])], [info("y", [2, 2])], [weight("w", 2, 2)], functions=[square], domains=["custom"])


def quantized() -> ModelProto:
    """Quantize and dequantize with int8 scale and zero point."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantize"),
    ]
    scale = numpy_helper.from_array(np.asarray(0.05, np.float32), "s")
    zero = numpy_helper.from_array(np.asarray(3, np.int8), "z")
    return model(nodes, [info("x", [4, 4])], [info("y", [4, 4])], [scale, zero], opset=13)


def recurrent() -> ModelProto:
    """LSTM with optional inputs left out in the middle."""
    node = helper.make_node("LSTM", ["x", "w", "r", "", "", "h"], ["y", "", "c"], "lstm", hidden_size=4)
    constants = [weight("w", 1, 16, 3), weight("r", 1, 16, 4), weight("h", 1, 2, 4)]
    return model([node], [info("x", [5, 2, 3])], [info("y", [5, 1, 2, 4]), info("c", [1, 2, 4])], constants)


ALL: dict[str, Callable[[], ModelProto]] = {
    f.__name__: f for f in (convolution, computed_reshape, branches, loop, scan, function, quantized, recurrent)
}


def feed(proto: ModelProto, seed: int = 0) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Random inputs of ``proto``; open dimensions are 1."""
    random = np.random.default_rng(seed)
    arrays = {}
    for value in proto.graph.input:
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        arrays[value.name] = np.asarray(random.normal(size=shape) * 2).astype(dtype)
    return arrays
