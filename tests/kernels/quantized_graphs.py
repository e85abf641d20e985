"""Random quantised graphs as exporters write them: DequantizeLinear, float operators, QuantizeLinear.

A family draws one structure and builds it several times with different grids, so that one compilation serves many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from edgeopt.frontend import export
from edgeopt.ir import Array, Graph, Value, numpy_dtype, onnx_code
from edgeopt.ir.match import dtype_of, shape_of
from tests.strategies import Choice, Draft

BRANCHES = 4
CHANNELS = (1, 3, 7, 15, 16, 17, 33)
SAMPLES = 3
Feeds = dict[str, Array]
Family = Callable[["Network"], None]


@dataclass(frozen=True)
class Case:
    """A closed graph whose outputs are codes, and arrays for its inputs."""

    graph: Graph
    feeds: Feeds


def limits(dtype: str) -> tuple[int, int]:
    """The lowest and the highest code."""
    info = ml_dtypes.iinfo(numpy_dtype(dtype))  # type: ignore[no-untyped-call]
    return int(info.min), int(info.max)


class Network:
    """A draft of quantised operators. ``codes`` are its outputs so far; samples of its inputs are drawn along with it.

    ``narrow`` gives every result 4 bits.
    """

    def __init__(self, choice: Choice, dtype: str, narrow: bool = False) -> None:
        self.choice, self.dtype, self.draft, self.narrow = choice, dtype, Draft(choice, 21), narrow
        self.random = np.random.default_rng(choice.integer(0, 2**31))
        self.feeds: Feeds = {}
        self.codes: list[Value] = []

    def input(self, *shape: int) -> Value:
        """A new input of codes: uniform, or mostly at the ends."""
        value, (low, high) = self.draft.input(shape, self.dtype), limits(self.dtype)
        array = self.random.integers(low, high + 1, (SAMPLES * shape[0], *shape[1:]))
        if self.choice.integer(0, 3) == 0:
            array = np.where(self.random.random(array.shape) < 0.6, self.random.choice([low, high], array.shape), array)
        self.feeds[value.name] = array.astype(self.dtype)
        return value

    def scale(self) -> float:
        """From 1e-6 to 1e3, often a power of two."""
        mantissa = self.choice.pick([1.0, 1.0 + float(self.random.random())])
        return float(np.float32(mantissa * 2.0 ** self.choice.integer(-20, 9)))

    def zero(self, dtype: str) -> int:
        """A zero point, often at an end or in the middle."""
        low, high = limits(dtype)
        return self.choice.pick([low, high, (low + high + 1) // 2, int(self.random.integers(low, high + 1))])

    def real(self, codes: Value, scale: float | None = None, zero: int | None = None) -> Value:
        """``codes`` dequantised, on a grid that is drawn where it is not given."""
        dtype = dtype_of(codes)
        grid = (self.scale() if scale is None else scale), (self.zero(dtype) if zero is None else zero)
        return self.op("DequantizeLinear", codes, self.draft.constant(grid[0]), self.draft.constant(grid[1], dtype))

    def op(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """One more node."""
        return self.draft.op(op, *inputs, **attributes)

    def rounded(self, y: Value, dtype: str = "", grid: tuple[float, int] | None = None) -> Value:
        """``y`` quantised, to a grid that fits what it holds on the samples, is too fine for it (saturates) or too coarse."""
        wide = dtype or self.dtype
        dtype = wide.replace("8", "4") if self.narrow else wide
        scale, zero = grid or self._fitting(y, dtype)
        zero = int(np.clip(zero, *limits(dtype)))
        made = self.op("QuantizeLinear", y, self.draft.constant(scale), self.draft.constant(zero, dtype))
        made = self.op("Cast", made, to=onnx_code(wide)) if self.narrow else made
        self.codes.append(made)
        return made

    def _fitting(self, y: Value, dtype: str) -> tuple[float, int]:
        (seen,) = by_onnxruntime(self.draft.graph, self.feeds, [y]).values()
        low, high, (first, last) = min(float(seen.min()), 0.0), max(float(seen.max()), 0.0), limits(dtype)
        scale = max(high - low, 1e-30) / (last - first) * self.choice.pick([1.0, 1.0, 0.2, 5.0])
        if self.choice.integer(0, 2) == 0:
            scale = 2.0 ** round(float(np.log2(scale)))
        zero = self.choice.pick([int(np.clip(np.rint(first - low / scale), first, last)), self.zero(dtype)])
        return float(np.float32(scale)), zero

    def weight(self, shape: Sequence[int], axis: int, x_scale: float) -> tuple[Value, Value]:
        """A dequantised weight (one scale or several along ``axis``, 8 or 4 bits, any zero point) and its bias [channels]."""
        dtype = self.choice.pick(["int8", "int8", "uint8", "int4", "uint4"])
        count = self.choice.pick([shape[axis], 1])
        signed, (low, high) = dtype.startswith("int"), limits(dtype)
        scales = np.float32(self.scale()) * (0.5 + self.random.random(count)).astype(np.float32)
        zeros = np.zeros(count, int) if signed and self.choice.integer(0, 1) else self.random.integers(low, high + 1, count)
        codes = self.random.integers(low, high + 1, shape)
        grid = (scales, zeros) if count > 1 else (scales[0], zeros[0])
        attributes = {"axis": axis} if count > 1 else {}
        constants = [self.draft.constant(g, d) for g, d in zip((codes, *grid), (dtype, "float32", dtype), strict=True)]
        bias = self.random.integers(-30000, 30000, shape[axis])
        bias_scale = (np.float32(x_scale) * np.asarray(grid[0])).astype(np.float32)
        addend = self.op("DequantizeLinear", self.draft.constant(bias, "int32"), self.draft.constant(bias_scale), axis=0)
        return self.op("DequantizeLinear", *constants, **attributes), addend

    def activated(self, y: Value) -> Value:
        """``y``, or Relu or Clip of it."""
        kind = self.choice.pick(["", "", "Relu", "Clip"])
        if kind == "Clip":
            (seen,) = by_onnxruntime(self.draft.graph, self.feeds, [y]).values()
            low, high = (self.draft.constant(float(v)) for v in np.quantile(seen, [0.3, 0.9]))
            return self.op("Clip", y, low, high)
        return self.op(kind, y) if kind else y

    def case(self) -> Case:
        """The network with all codes as outputs."""
        self.draft.graph.outputs = list(dict.fromkeys(self.codes))
        return Case(self.draft.graph, self.feeds)


def by_onnxruntime(graph: Graph, feeds: Mapping[str, Array], outputs: Sequence[Value] = ()) -> Feeds:
    """Outputs of every sample by onnxruntime without optimizations, joined along the first axis."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 3
    before, graph.outputs = graph.outputs, list(outputs) or graph.outputs
    data = export(graph).SerializeToString()
    graph.outputs = before
    session = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    known = [i.name for i in session.get_inputs()]
    runs = [session.run(None, {k: np.split(feeds[k], SAMPLES)[i] for k in known}) for i in range(SAMPLES)]
    names = [o.name for o in session.get_outputs()]
    return {name: np.concatenate([run[i] for run in runs]) for i, name in enumerate(names)}


def channels(value: Value) -> int:
    """The extent of the second axis."""
    shape = shape_of(value)
    assert shape is not None
    return shape[1]


def _convolution(n: Network, x: Value, width: int, group: int, **attributes: Any) -> Value:
    size, scale = attributes.pop("size"), n.scale()
    weight, bias = n.weight((width, channels(x) // group, size, size), 0, scale)
    inputs = [n.real(x, scale), weight, *([bias] if n.choice.integer(0, 2) else [])]
    return n.activated(n.op("Conv", *inputs, group=group, **attributes))


def _window(n: Network) -> dict[str, Any]:
    size, dilation = n.choice.pick([1, 2, 3, 3]), n.choice.pick([1, 1, 2])
    reach, stride = dilation * (size - 1) // 2, n.choice.pick([1, 1, 2])
    pads = (reach, reach, n.choice.pick([reach, 0]), reach)
    return {"size": size, "pads": pads, "strides": (stride, stride), "dilations": (dilation, dilation)}


def convolution(n: Network) -> None:
    """Dense, or in two groups."""
    group = n.choice.pick([1, 1, 1, 2])
    x, width, window = n.input(1, group * n.choice.pick(CHANNELS), 9, 8), group * n.choice.pick(CHANNELS), _window(n)
    for _ in range(BRANCHES):
        n.rounded(_convolution(n, x, width, group, **window))


def depthwise(n: Network) -> None:
    """One channel to a group."""
    count = n.choice.pick(CHANNELS)
    x, window = n.input(1, count, 11, 10), _window(n)
    for _ in range(BRANCHES):
        n.rounded(_convolution(n, x, count, count, **window))


def product(n: Network) -> None:
    """Gemm with a bias, or MatMul."""
    depth, width, op = n.choice.pick([1, 4, 7, 33, 130]), n.choice.pick(CHANNELS), n.choice.pick(["Gemm", "MatMul"])
    x = n.input(n.choice.pick([1, 5]), depth)
    for _ in range(BRANCHES):
        scale = n.scale()
        weight, bias = n.weight((depth, width), 1, scale)
        n.rounded(n.activated(n.op(op, n.real(x, scale), weight, *([bias] if op == "Gemm" else []))))


def binary(n: Network) -> None:
    """Sum or product of two tensors of one shape, or of which one is broadcast."""
    op, shape = n.choice.pick(["Add", "Add", "Mul"]), (1, n.choice.pick(CHANNELS), 6, 7)
    a, b = n.input(*shape), n.input(*n.choice.pick([shape, shape, (1, shape[1], 1, 1)]))
    for _ in range(BRANCHES):
        scale = n.scale()
        other = scale * n.choice.pick([0.25, 0.5, 1.0, 0.3 + float(n.random.random())])
        y = n.op(op, n.real(a, scale), n.real(b, float(np.float32(other))))
        n.rounded(n.op("Relu", y) if n.choice.integer(0, 1) else y)


def concatenation(n: Network) -> None:
    """Parts of different grids."""
    sizes = [n.choice.pick(CHANNELS), n.choice.pick(CHANNELS)]
    parts = [n.input(1, size, 5, 6) for size in sizes]
    for _ in range(BRANCHES):
        scale = n.scale()
        n.rounded(n.op("Concat", *[n.real(p, float(np.float32(scale * (0.5 + n.random.random())))) for p in parts], axis=1))


def pool(n: Network) -> None:
    """Means over windows, and over everything; the grid of the result is its own."""
    x = n.input(1, n.choice.pick(CHANNELS), 9, 7)
    counted, whole = n.choice.integer(0, 1), n.choice.integer(0, 1)
    for _ in range(BRANCHES):
        real = n.real(x)
        window = {"kernel_shape": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1), "count_include_pad": counted}
        n.rounded(n.op("GlobalAveragePool", real) if whole else n.op("AveragePool", real, **window))


def softmax(n: Network) -> None:
    """Along the last axis, to the grid that is usual for probabilities or another."""
    x = n.input(5, n.choice.pick([2, 10, 33, 130]))
    for _ in range(BRANCHES):
        y, usual = n.op("Softmax", n.real(x, 2.0 ** -n.choice.integer(1, 9)), axis=-1), limits(n.dtype)[0]
        n.rounded(y, grid=n.choice.pick([(1 / 256, usual), None]))


def lookup(n: Network) -> None:
    """Functions of one variable."""
    kinds = ["Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Elu", "Relu", "Softplus", "Gelu", "Abs"]
    x = n.input(1, n.choice.pick(CHANNELS), 5, 4)
    for _ in range(BRANCHES):
        n.rounded(n.op(n.choice.pick(kinds), n.real(x, 2.0 ** -n.choice.integer(0, 9) * (1 + float(n.random.random())))))


def _moves(n: Network, x: Value) -> Value:
    kind, size = n.choice.pick(["Transpose", "Reshape", "Slice", "MaxPool", "Pad", "Resize", "Relu"]), channels(x)
    if kind == "Transpose":
        return n.op(kind, x, perm=(0, 2, 3, 1))
    if kind == "Reshape":
        return n.op(kind, x, n.draft.ints(0, size * 6, -1))
    if kind == "Slice":
        return n.op(kind, x, n.draft.ints(1), n.draft.ints(5), n.draft.ints(2))
    if kind == "MaxPool":
        return n.op(kind, x, kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    if kind == "Pad":
        return n.op(kind, x, n.draft.ints(0, 0, 1, 2, 0, 0, 0, 1), n.draft.constant(0.0))
    if kind == "Resize":
        how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return n.op(kind, x, None, n.draft.constant(np.array([1, 1, 2, 2])), **how)
    return n.op(kind, x)


def moves(n: Network) -> None:
    """Operators that only move elements, between equal grids (as quantisers write them) or different ones."""
    x = n.input(1, n.choice.pick(CHANNELS), 6, 6)
    for _ in range(BRANCHES):
        grid = (n.scale(), n.zero(n.dtype))
        n.rounded(_moves(n, n.real(x, *grid)), grid=n.choice.pick([grid, grid, None]))


def residual_block(n: Network) -> None:
    """Two convolutions, a sum with what went in, a pool."""
    count = n.choice.pick(CHANNELS)
    x, scale = n.input(1, count, 8, 8), n.scale()
    y = n.rounded(n.op("Relu", _convolution(n, x, count, 1, size=3, pads=(1,) * 4)))
    y = n.rounded(_convolution(n, y, count, 1, size=3, pads=(1,) * 4))
    total = n.rounded(n.op("Relu", n.op("Add", n.real(y, scale), n.real(x, scale * 0.75))))
    n.rounded(n.op("MaxPool", n.real(total, 1.0, 0), kernel_shape=(2, 2), strides=(2, 2)), grid=(1.0, 0))


def mobile_block(n: Network) -> None:
    """Expansion, depthwise convolution, projection, with a gate of the channels."""
    count = n.choice.pick([7, 16, 17])
    x = n.input(1, count, 7, 9)
    y = n.rounded(_convolution(n, x, 2 * count, 1, size=1))
    y = n.rounded(_convolution(n, y, 2 * count, 2 * count, size=3, pads=(1,) * 4))
    mean = n.rounded(n.op("GlobalAveragePool", n.real(y)))
    gate = n.rounded(n.op("HardSigmoid", n.real(mean, 0.02)))
    y = n.rounded(n.op("Mul", n.real(y), n.real(gate)))
    n.rounded(_convolution(n, y, count, 1, size=1))


FAMILIES: tuple[Family, ...] = (
    convolution, depthwise, product, binary, concatenation, pool, softmax, lookup, moves, residual_block, mobile_block,
)  # fmt: skip
