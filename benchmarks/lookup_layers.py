"""Single layers as look-ups, as integer products and in onnxruntime, with random numbers of the same shapes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgeopt.assembly import assemble
from edgeopt.codegen.backends import NUMBA, Backend
from edgeopt.ir import OWN_DOMAIN, Array, Graph, TensorType, Value, numpy_dtype
from edgeopt.ops import infer_types
from edgeopt.runtime.step_clock import StepClock
from edgeopt.target import Target

SHIFT, DEVIATION = 8, 24  # codewords of this deviation and uniform codes use tables of bytes well
BOOKS = {"K16 C'4": (1, 4), "2 x K16 C'4": (2, 4), "K16 C'2": (1, 2)}
BURST, PASSES = 0.1, 3  # seconds of one way before the next one, and runs of the steps between two looks at the clock


@dataclass(frozen=True)
class Layer:
    """A convolution of a square map of ``side``, or a fully connected layer (``side`` 0)."""

    channels: int
    outputs: int
    side: int
    size: int = 1

    @property
    def name(self) -> str:
        """As tables call it."""
        if not self.side:
            return f"FC {self.channels}-{self.outputs}"
        return f"{self.size}x{self.size} {self.channels}-{self.outputs}@{self.side}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input."""
        return (1, self.channels, self.side, self.side) if self.side else (1, self.channels)

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the output."""
        return (1, self.outputs, self.side, self.side) if self.side else (1, self.outputs)

    @property
    def taps(self) -> tuple[int, ...]:
        """The extents of the kernel."""
        return (self.size, self.size) if self.side else ()

    @property
    def attributes(self) -> dict[str, list[int]]:
        """Those of the convolution."""
        return {"pads": [self.size // 2] * 4} if self.side else {}


LAYERS = (
    *(Layer(c, c, s, 3) for c, s in ((64, 56), (128, 28), (256, 14), (512, 7))),
    *(Layer(c, o, s) for c, o, s in ((256, 64, 56), (512, 512, 14), (1024, 256, 14))),
    Layer(4096, 4096, 0),
)


@dataclass
class Timing:
    """Least microseconds of one layer by way; ``cold`` with the weights out of the caches."""

    layer: str
    hot: dict[str, float] = field(default_factory=dict)
    cold: dict[str, float] = field(default_factory=dict)


def lookup_graph(layer: Layer, books: tuple[int, int], dtype: str = "uint8") -> Graph:
    """The layer with random codes; what it reads and makes is of type ``dtype``."""
    rng, (count, size) = np.random.default_rng(0), books
    spaces = -(-layer.channels // size)
    graph, inputs = _graph(layer, dtype)
    codes = rng.integers(0, 16, (count, layer.outputs, spaces, *layer.taps)).astype(np.uint8)
    book = np.clip(np.rint(rng.normal(0, DEVIATION, (count, spaces, 16, size))), -127, 127).astype(np.int8)
    inputs += [
        graph.constant("codes", codes, "uint4"),
        *_constants(graph, book, _scale(layer), np.zeros(layer.outputs, np.float32)),
    ]
    return _finished(graph, "Lookup", layer, inputs, {"shift": SHIFT}, dtype)


def integer_graph(layer: Layer, dtype: str = "uint8") -> Graph:
    """The layer with random weights of 8 bits, likewise."""
    graph, inputs = _graph(layer, dtype)
    weight = np.random.default_rng(0).integers(-127, 128, (layer.outputs, layer.channels, *layer.taps)).astype(np.int8)
    inputs += _constants(graph, weight if layer.side else weight.T.copy(), _scale(layer), np.zeros(layer.outputs, np.int8))
    return _finished(graph, "Quant", layer, [*inputs, None], {}, dtype)


def _graph(layer: Layer, dtype: str) -> tuple[Graph, list[Value | None]]:
    graph = Graph("layer", opsets={"": 21, "ai.edgeopt": 1})
    graph.inputs = [Value("x", TensorType(dtype, layer.shape))]
    return graph, [graph.inputs[0], *_constants(graph, np.array(0.02, np.float32), np.array(0, dtype))]


def _finished(graph: Graph, kind: str, layer: Layer, inputs: list[Value | None], more: Mapping[str, int], dtype: str) -> Graph:
    inputs += _constants(graph, np.array(0.1, np.float32), np.array(0, dtype))
    op, attributes = kind + ("Conv" if layer.side else "Gemm"), {**layer.attributes, **more}
    node = graph.make(op, inputs, [TensorType(dtype, layer.result)], None, OWN_DOMAIN, "layer", attributes)
    graph.outputs = [node.output]
    infer_types(graph)
    return graph


def _constants(graph: Graph, *arrays: Array) -> list[Value]:
    return [graph.constant("c", a) for a in arrays]


def _scale(layer: Layer) -> Array:
    return np.full(layer.outputs, 0.002, np.float32)


def float_model(layer: Layer) -> ModelProto:
    """The layer in float for onnxruntime."""
    weight = np.random.default_rng(0).standard_normal((layer.outputs, layer.channels, *layer.taps)).astype(np.float32)
    op, array = ("Conv", weight) if layer.side else ("MatMul", weight.T.copy())
    return _model(layer, TensorProto.FLOAT, op, ["x", "w"], {"w": array})


def byte_model(layer: Layer) -> ModelProto:
    """The layer of 8 bits for onnxruntime, from codes to codes."""
    weight = np.random.default_rng(0).integers(-127, 128, (layer.outputs, layer.channels, *layer.taps)).astype(np.int8)
    zeros, one = np.zeros((), np.uint8), np.array(0.02, np.float32)
    arrays: dict[str, Array] = {"xs": one, "z": zeros, "w": weight if layer.side else weight.T.copy(), "ws": _scale(layer)}
    arrays |= {"wz": np.zeros(layer.outputs, np.int8), "ys": np.array(0.1, np.float32)}
    op = "QLinearConv" if layer.side else "QLinearMatMul"
    return _model(layer, TensorProto.UINT8, op, ["x", "xs", "z", "w", "ws", "wz", "ys", "z"], arrays)


def _model(layer: Layer, kind: int, op: str, inputs: Sequence[str], arrays: Mapping[str, Array]) -> ModelProto:
    attributes: dict[str, Any] = dict(layer.attributes)  # what else helper.make_node takes by name has types of its own
    node = helper.make_node(op, list(inputs), ["y"], **attributes)
    ports = [helper.make_tensor_value_info(n, kind, s) for n, s in (("x", layer.shape), ("y", layer.result))]
    constants = [numpy_helper.from_array(a, n) for n, a in arrays.items()]
    graph = helper.make_graph([node], "layer", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


Way = Callable[[int], float]  # seconds of the quickest of some runs


def ours(graph: Graph, target: Target, backend: Backend = NUMBA) -> Way:
    """The steps of a compiled layer in one call, without the changes of layout at its ends and without the call."""
    model = assemble(graph, target, 2, backend=backend)
    shape = graph.inputs[0].type.dims if graph.inputs[0].type else ()
    kind = numpy_dtype(graph.inputs[0].type.dtype) if graph.inputs[0].type else np.uint8
    data = {"x": np.random.default_rng(0).integers(0, 256, shape).astype(kind)}
    own = ["relayout" not in about["kernel"] for about in model.manifest["kernels"]]
    first, last = own.index(True), len(own) - own[::-1].index(True)
    clock = StepClock(model, data)
    call = min(clock.span(first, first) for _ in range(1000))
    return lambda repeats: min(clock.span(first, last) for _ in range(repeats)) - call


def theirs(model: ModelProto, layer: Layer) -> Way:
    """The layer in onnxruntime."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    kind = np.float32 if session.get_inputs()[0].type == "tensor(float)" else np.uint8
    data = {"x": np.random.default_rng(0).integers(0, 256, layer.shape).astype(kind)}

    def run(repeats: int) -> float:
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            session.run(None, data)
            times.append(time.perf_counter() - started)
        return min(times)

    return run


def ways(layer: Layer, target: Target, peers: bool) -> dict[str, Way]:
    """Every way to compute a layer."""
    found = {name: ours(lookup_graph(layer, books), target) for name, books in BOOKS.items()}
    found["int8"] = ours(integer_graph(layer), target)
    if peers:
        found["onnxruntime"] = theirs(float_model(layer), layer)
        found["onnxruntime int8"] = theirs(byte_model(layer), layer)
    return found


def measure(layer: Layer, target: Target, seconds: float, every: Mapping[str, Way]) -> Timing:
    """The ways in turn for ``seconds`` each; fully connected layers also behind a sweep through memory."""
    made = Timing(layer.name)
    made.hot = dict.fromkeys(every, float("inf"))
    for _ in range(max(1, round(seconds / BURST))):
        for name, run in every.items():
            end = time.perf_counter() + BURST
            while time.perf_counter() < end:
                made.hot[name] = min(made.hot[name], 1e6 * run(PASSES))
    if not layer.side:
        sweep = np.zeros(max(32 << 20, 3 * target.l3), np.uint8)
        made.cold = dict.fromkeys(every, float("inf"))
        for _ in range(8):
            for name, run in every.items():
                sweep += 1
                made.cold[name] = min(made.cold[name], 1e6 * run(1))
    return made
