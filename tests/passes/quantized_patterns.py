"""Patterns of the passes that fold rounding into integer operators."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Value
from tests.passes.building import shape
from tests.strategies import Draft

Grid = tuple[Value, Value]


def _grid(draft: Draft, scale: float = 0.0) -> Grid:
    dtype = draft.choice.pick(["uint8", "int8"])
    step = scale or draft.choice.pick([0.01, 0.023, 0.05])
    zero = draft.choice.pick([0, 3, 100, 127])
    return draft.constant(step), draft.constant(zero, dtype)


def _rounded(draft: Draft, x: Value, grid: Grid) -> Value:
    return draft.op("DequantizeLinear", draft.op("QuantizeLinear", x, *grid), *grid)


def _codes(draft: Draft, *dims: int, low: int = -127, high: int = 127, dtype: str = "int8") -> Value:
    generator = np.random.default_rng(draft.choice.integer(0, 999))
    return draft.constant(generator.integers(low, high + 1, dims), dtype)


def _scales(draft: Draft, count: int) -> Value:
    return draft.weight(count, low=0.001, high=0.01)


def fold_qdq(draft: Draft, x: Value) -> Value:
    channels, width, size = shape(x)[1], draft.choice.integer(1, 5), draft.choice.integer(1, 3)
    grid, scales = _grid(draft), _scales(draft, width)
    weight = draft.op("DequantizeLinear", _codes(draft, width, channels, size, size), scales, axis=0)
    sums = draft.constant(scales.array * grid[0].array)
    bias = draft.op("DequantizeLinear", _codes(draft, width, low=-5000, high=5000, dtype="int32"), sums, axis=0)
    y = draft.op("Conv", _rounded(draft, x, grid), weight, bias)
    y = draft.op("Relu", y) if draft.choice.integer(0, 1) else y
    return _rounded(draft, y, _grid(draft))


def fold_weight_dequantization(draft: Draft, x: Value) -> Value:
    kind = draft.choice.pick(["conv", "gemm", "half"])
    if kind == "half":
        weight = draft.constant(np.linspace(-1, 1, 6 * shape(x)[1]).reshape(6, -1, 1, 1), "float16")
        return draft.own("FusedConv", x, draft.op("Cast", weight, to=1), draft.weight(6), activation="Relu")
    if kind == "gemm":
        scale, zero = draft.constant(0.02), draft.constant(draft.choice.pick([0, 5]), "int8")
        weight = draft.op("DequantizeLinear", _codes(draft, shape(x)[3], 7, low=-100, high=100), scale, zero)
        return draft.own("FusedGemm", x, weight)
    codes, scales = _codes(draft, 3, shape(x)[1], 2, 2), _scales(draft, 3)
    y = draft.own("FusedConv", x, draft.op("DequantizeLinear", codes, scales, axis=0), draft.weight(3))
    return draft.own("FusedConv", x, draft.op("DequantizeLinear", codes, scales, axis=0), None, y)


def fold_recurrent_dequantization(draft: Draft, x: Value) -> Value:
    op, hidden = draft.choice.pick(["LSTM", "GRU", "RNN"]), draft.choice.integer(1, 4)
    samples, channels, height, width = shape(x)
    steps = draft.op("Reshape", x, draft.constant([samples * channels, height, width], "int64"))
    rows = {"LSTM": 4, "GRU": 3, "RNN": 1}[op] * hidden
    weights = [
        draft.op("DequantizeLinear", _codes(draft, 1, rows, n, low=-100, high=100), _scales(draft, rows), axis=1)
        for n in (width, hidden)
    ]
    return draft.op(op, steps, *weights, draft.weight(1, 2 * rows), hidden_size=hidden)


def fold_qdq_arithmetic(draft: Draft, x: Value) -> Value:
    left, right = (_rounded(draft, x, _grid(draft)) for _ in range(2))
    kind = draft.choice.pick(["Add", "Mul", "Concat", "GlobalAveragePool", "Softmax"])
    if kind == "Concat":
        return _rounded(draft, draft.op("Concat", left, right, axis=1), _grid(draft, 0.03))
    if kind in ("Add", "Mul"):
        return _rounded(draft, draft.op(kind, left, right), _grid(draft))
    return _rounded(draft, draft.op(kind, left), _grid(draft))


def fold_qdq_scale(draft: Draft, x: Value) -> Value:
    channels = shape(x)[1]
    weight, bias = draft.weight(channels, 1, 1, 1), draft.weight(channels) if draft.choice.integer(0, 1) else None
    kind = draft.choice.pick(["", "Relu", "HardSwish"])
    y = draft.own("FusedConv", _rounded(draft, x, _grid(draft)), weight, bias, group=channels, activation=kind)
    return _rounded(draft, y, _grid(draft))


def fold_qdq_lookup(draft: Draft, x: Value) -> Value:
    function = draft.choice.pick(["Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"])
    return _rounded(draft, draft.op(function, _rounded(draft, x, _grid(draft))), _grid(draft))


def merge_lookups(draft: Draft, x: Value) -> Value:
    codes, grids = draft.op("QuantizeLinear", x, *_grid(draft)), [_grid(draft) for _ in range(4)]
    dtype = grids[0][1].array.dtype.name
    info, generator = np.iinfo(dtype), np.random.default_rng(draft.choice.integer(0, 999))
    y = draft.own("QuantLookup", codes, draft.constant(generator.integers(info.min, info.max + 1, 256), dtype))
    kind = draft.choice.pick(["table", "gate", "number"])
    if kind == "table":
        y = draft.own("QuantLookup", y, draft.constant(generator.integers(0, 256, 256), "uint8"))
        return draft.op("DequantizeLinear", y, draft.constant(0.02), draft.constant(3, "uint8"))
    if kind == "gate":
        source = next(n for n in draft.graph.nodes if n.output is codes)
        y = draft.own("QuantMul", codes, *source.inputs[1:], y, *grids[0], *grids[1])
    else:
        y = draft.own(
            "QuantAdd", draft.constant(7, "uint8"), draft.constant(0.1), draft.constant(0, "uint8"), y, *grids[0], *grids[1]
        )
    return draft.op("DequantizeLinear", y, *grids[1])


def move_rounding(draft: Draft, x: Value) -> Value:
    kind = draft.choice.pick(["below", "above", "parts"])
    if kind == "parts":
        y = draft.op("Slice", _rounded(draft, x, _grid(draft)), draft.ints(0), draft.ints(1), draft.ints(1))
        return draft.op("Tanh", y)
    if kind == "below":
        return draft.op("Tanh", draft.op("Transpose", _rounded(draft, x, _grid(draft)), perm=(0, 2, 3, 1)))
    return _rounded(draft, draft.op("Reshape", draft.op("Tanh", x), draft.ints(shape(x)[0], -1)), _grid(draft))


def move_qdq(draft: Draft, x: Value) -> Value:
    grid = _grid(draft)
    y = _rounded(draft, x, grid)
    kind = draft.choice.pick(["Transpose", "MaxPool", "Concat", "Pad"])
    if kind == "Transpose":
        y = draft.op("Transpose", y, perm=(0, 2, 3, 1))
    elif kind == "MaxPool":
        y = draft.op("MaxPool", y, kernel_shape=(2, 2))
    elif kind == "Concat":
        y = draft.op("Concat", y, y, axis=1)
    else:
        y = draft.op("Pad", y, draft.ints(0, 0, 1, 1, 0, 0, 1, 0))
    return _rounded(draft, y, grid)


def fold_dynamic_quantization(draft: Draft, x: Value) -> Value:
    channels, width, size, unsigned = (
        shape(x)[1],
        draft.choice.integer(1, 5),
        draft.choice.integer(1, 3),
        draft.choice.integer(0, 1),
    )
    draft.op("DynamicQuantizeLinear", x, outputs=3)
    codes, scale, zero = draft.made[-3:]
    weight, middle = ("uint8", 128) if unsigned else ("int8", 0)
    kernel = _codes(draft, width, channels, size, size, low=middle - 127, high=middle + 127, dtype=weight)
    sums = draft.op("ConvInteger", codes, kernel, zero, draft.constant(middle, weight))
    factor = draft.op("Mul", draft.weight(*draft.choice.pick([(width, 1, 1), ()]), low=0.001, high=0.01), scale)
    y = draft.op("Mul", draft.op("Cast", sums, to=1), factor)
    return draft.op("Add", y, draft.weight(width, 1, 1)) if draft.choice.integer(0, 1) else y


def import_qlinear(draft: Draft, x: Value) -> Value:
    channels, width, grid, result = shape(x)[1], draft.choice.integer(1, 4), _grid(draft), _grid(draft)
    scales, zeros = _scales(draft, width), draft.constant(np.zeros(width), "int8")
    codes = draft.op("QuantizeLinear", x, *grid)
    weight = _codes(draft, width, channels, 2, 2)
    bias = _codes(draft, width, low=-5000, high=5000, dtype="int32")
    y = draft.op("QLinearConv", codes, *grid, weight, scales, zeros, *result, bias)
    return draft.op("DequantizeLinear", y, *result)


def fold_lookup_result(draft: Draft, x: Value) -> Value:
    channels, width, size = shape(x)[1], draft.choice.integer(1, 5), draft.choice.integer(1, 2)
    spaces, words = -(-channels // 4), 32  # codewords that need bytes for codes, which every opset has
    source = _grid(draft, 0.05)
    taps = (1, width, spaces, size, size)
    codes = _codes(draft, *taps, low=0, high=words - 1, dtype="uint8")
    books = _codes(draft, 1, spaces, words, 4, low=-30, high=30)
    inputs = (draft.op("QuantizeLinear", x, *source), *source, codes, books, _scales(draft, width), draft.weight(width))
    y = draft.own("LookupConv", *inputs, shift=8, kernel_shape=(size, size))
    return draft.op("QuantizeLinear", y, *_grid(draft))


def widen_codes(draft: Draft, x: Value) -> Value:
    draft.graph.opsets[""] = 21  # the first one that has codes of 4 bits
    dtype = draft.choice.pick(["uint4", "int4"])
    scale, zero = draft.constant(draft.choice.pick([0.1, 0.23])), draft.constant(draft.choice.pick([0, 3, 7]), dtype)
    codes = draft.op("QuantizeLinear", x, scale, zero)
    if draft.choice.integer(0, 1):
        codes = draft.op("Transpose", codes, perm=(0, 2, 3, 1))
    return draft.op("DequantizeLinear", codes, scale, zero)


def fold_code_limits(draft: Draft, x: Value) -> Value:
    left, right, result = _grid(draft), _grid(draft), _grid(draft)
    codes = [draft.op("QuantizeLinear", x, *grid) for grid in (left, right)]
    dtype = result[1].array.dtype.name
    kind = draft.choice.pick(["QuantAdd", "QuantMul", "QuantGlobalAveragePool", "QuantSoftmax", "QuantConcat", "QuantLookup"])
    if kind in ("QuantAdd", "QuantMul"):
        y = draft.own(kind, codes[0], *left, codes[1], *right, *result)
    elif kind == "QuantConcat":
        y = draft.own(kind, *result, codes[0], *left, codes[1], *right, axis=1)
    elif kind == "QuantLookup":
        y = draft.own(kind, codes[0], _codes(draft, 256, low=0, high=120, dtype=dtype))
    else:
        y = draft.own(kind, codes[0], *left, *result)
    low = draft.choice.pick([0, 20])
    y = draft.op("Clip", y, draft.constant(low, dtype), draft.constant(low + 15, dtype))
    return draft.op("DequantizeLinear", y, *result)
