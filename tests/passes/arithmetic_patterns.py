"""Patterns of the passes that compute less: each builder appends nodes that the pass of its name rewrites."""

from __future__ import annotations

import math

import numpy as np

from edgeopt.ir import Value
from tests.passes.building import mean, per_channel, shape
from tests.strategies import Draft


def merge_constant_operands(draft: Draft, x: Value) -> Value:
    op = draft.choice.pick(["Add", "Mul"])
    first = draft.op(op, x, draft.choice.pick([draft.constant(0.5), draft.weight(shape(x)[3])]))
    return draft.op(op, draft.weight(*draft.choice.pick([(), (1,)])), first)


def recognize_hard_sigmoid(draft: Draft, x: Value) -> Value:
    clip = draft.op("Clip", draft.op("Add", draft.constant(3.0), x), draft.constant(0.0), draft.constant(6.0))
    op, factor = draft.choice.pick([("Div", 6.0), ("Mul", 1 / 6)])
    return draft.op(op, clip, draft.constant(factor))


def recognize_hard_swish(draft: Draft, x: Value) -> Value:
    kind = draft.choice.integer(0, 2)
    if kind == 0:
        return draft.op("Mul", x, draft.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    clip = draft.op("Clip", draft.op("Add", x, draft.constant(3.0)), draft.constant(0.0), draft.constant(6.0))
    if kind == 1:
        return draft.op("Div", draft.op("Mul", clip, x), draft.constant(6.0))
    return draft.op("Mul", x, draft.op("Mul", clip, draft.constant(1 / 6)))


def recognize_silu(draft: Draft, x: Value) -> Value:
    gate = draft.op("Sigmoid", x)
    return draft.op("Mul", x, gate) if draft.choice.integer(0, 1) else draft.op("Mul", gate, x)


def recognize_mish(draft: Draft, x: Value) -> Value:
    return draft.op("Mul", x, draft.op("Tanh", draft.op("Softplus", x)))


def recognize_gelu(draft: Draft, x: Value) -> Value:
    argument = draft.op("Div", x, draft.constant(math.sqrt(2)))
    gate = draft.op("Add", draft.op("Erf", argument), draft.constant(1.0))
    half = draft.constant(0.5)
    kind = draft.choice.integer(0, 2)
    if kind == 0:
        return draft.op("Mul", draft.op("Mul", x, half), gate)
    if kind == 1:
        return draft.op("Mul", draft.op("Mul", x, gate), half)
    return draft.op("Mul", x, draft.op("Mul", half, gate))


def recognize_layer_norm(draft: Draft, x: Value) -> Value:
    centred = draft.op("Sub", x, mean(draft, x, -1))
    power = draft.choice.integer(0, 1)
    square = draft.op("Pow", centred, draft.constant(2.0)) if power else draft.op("Mul", centred, centred)
    deviation = draft.op("Sqrt", draft.op("Add", mean(draft, square, -1), draft.constant(1e-5)))
    y = draft.op("Div", centred, deviation)
    affine = draft.choice.integer(0, 2)
    y = draft.op("Mul", y, draft.weight(shape(x)[-1])) if affine else y
    return draft.op("Add", y, draft.weight(shape(x)[-1])) if affine > 1 else y


def division_to_product(draft: Draft, x: Value) -> Value:
    return draft.op("Div", x, draft.constant(np.array([draft.choice.pick([0.5, 2.0, -4.0]) for _ in range(shape(x)[3])])))


def canonicalize_conv(draft: Draft, x: Value) -> Value:
    return draft.conv(x, own=False, bias=bool(draft.choice.integer(0, 1)), group=draft.choice.pick([1, shape(x)[1]]))


def canonicalize_gemm(draft: Draft, x: Value) -> Value:
    matrix = draft.op("Flatten", x)
    k, n = shape(matrix)[1], draft.choice.integer(1, 4)
    transposed = draft.choice.integer(0, 1)
    weight = draft.weight(n, k) if transposed else draft.weight(k, n)
    kind = draft.choice.integer(0, 2)
    addend = [[], [draft.weight(n)], [draft.op("MatMul", matrix, draft.weight(k, n))]][kind]
    beta = draft.choice.pick([1.0, 0.5]) if kind == 1 else 1.0
    return draft.op("Gemm", matrix, weight, *addend, alpha=draft.choice.pick([1.0, 0.25]), beta=beta, transB=transposed)


def canonicalize_matmul(draft: Draft, x: Value) -> Value:
    return draft.op("MatMul", x, draft.weight(shape(x)[3], draft.choice.integer(1, 4)))


def decompose_batch_norm(draft: Draft, x: Value) -> Value:
    y = draft.choice.pick([x, draft.conv(x), draft.op("Flatten", x)])
    c = shape(y)[1]
    statistics = [draft.weight(c), draft.weight(c), draft.weight(c), draft.weight(c, low=0.1, high=2.0)]
    return draft.op("BatchNormalization", y, *statistics, epsilon=1e-3)


def fold_pad_into_conv(draft: Draft, x: Value) -> Value:
    pads = [0, 0, *(draft.choice.integer(0, 2) for _ in range(2)), 0, 0, *(draft.choice.integer(0, 2) for _ in range(2))]
    filler = [draft.constant(0.0)] if draft.choice.integer(0, 1) else []
    return draft.conv(draft.op("Pad", x, draft.ints(*pads), *filler))


def drop_padding_taps(draft: Draft, x: Value) -> Value:
    rows, columns = shape(x)[2:]
    far = draft.choice.integer(0, 2)
    weight = draft.weight(3, shape(x)[1], 3, 3)
    dilations, pads = (rows + far, 1), (rows + far, draft.choice.integer(0, 1), rows + far, columns)
    return draft.own("FusedConv", x, weight, kernel_shape=(3, 3), dilations=dilations, pads=pads)


def split_padding_taps(draft: Draft, x: Value) -> Value:
    wide = draft.own("FusedConv", x, draft.weight(64, shape(x)[1], 1, 1), kernel_shape=(1, 1))
    far = shape(x)[2] - 1
    rest = [draft.weight(3)] if draft.choice.integer(0, 1) else []
    given = {"dilations": (far, 1), "pads": (far, 1, far, draft.choice.integer(0, 1))}
    return draft.own("FusedConv", wide, draft.weight(3, 64, 3, 3), *rest, kernel_shape=(3, 3), **given)


def fold_pad_into_pool(draft: Draft, x: Value) -> Value:
    pads = draft.ints(0, 0, draft.choice.integer(0, 2), 1, 0, 0, 1, draft.choice.integer(0, 2))
    kind = draft.choice.integer(0, 2)
    if kind == 0:
        padded = draft.op("Pad", x, pads, draft.constant(0.0))
        return draft.op("AveragePool", padded, kernel_shape=(3, 3), strides=(2, 1))
    source, filler = (draft.op("Relu", x), 0.0) if kind == 1 else (x, -np.inf)
    return draft.op("MaxPool", draft.op("Pad", source, pads, draft.constant(filler)), kernel_shape=(3, 3), strides=(1, 2))


def _product(draft: Draft, x: Value) -> tuple[Value, tuple[int, ...]]:
    """A convolution, transposed convolution or matrix product, and the shape of a vector over its channels."""
    kind = draft.choice.integer(0, 3)
    if kind == 0:
        y = draft.own("FusedGemm", x, draft.weight(shape(x)[3], 3), *([draft.weight(3)] if draft.choice.integer(0, 1) else []))
        return y, (3,)
    if kind == 1:
        group = draft.choice.pick([1, shape(x)[1]])
        weight = draft.weight(shape(x)[1], 2, 2, 2)
        y = draft.op("ConvTranspose", x, weight, kernel_shape=(2, 2), strides=(2, 1), group=group)
    else:
        y = draft.conv(x, bias=bool(draft.choice.integer(0, 1)), group=draft.choice.pick([1, shape(x)[1]]))
    return y, (shape(y)[1], 1, 1)


def fold_scale_after(draft: Draft, x: Value) -> Value:
    y, vector = _product(draft, x)
    scale = draft.weight(*draft.choice.pick([vector, ()]), low=0.5, high=2.0)
    return draft.op("Div", y, scale) if draft.choice.integer(0, 1) else draft.op("Mul", scale, y)


def fold_shift_after(draft: Draft, x: Value) -> Value:
    y, vector = _product(draft, x)
    shift = draft.weight(*draft.choice.pick([vector, ()]))
    inputs = [y, shift] if draft.choice.integer(0, 1) else [shift, y]
    return draft.op(draft.choice.pick(["Add", "Sub"]), *inputs)


def _consumer(draft: Draft, y: Value, pad: int | None) -> Value:
    return draft.conv(y, pad=pad, bias=bool(draft.choice.integer(0, 1)), group=draft.choice.pick([1, shape(y)[1]]))


def fold_scale_before(draft: Draft, x: Value) -> Value:
    kind = draft.choice.integer(0, 2)
    if kind == 0:
        return draft.own("FusedGemm", draft.op("Mul", x, draft.weight(shape(x)[3])), draft.weight(shape(x)[3], 2))
    scaled = draft.op(draft.choice.pick(["Mul", "Div"]), x, per_channel(draft, x))
    if kind == 1:
        group = draft.choice.pick([1, shape(x)[1]])
        return draft.op("ConvTranspose", scaled, draft.weight(shape(x)[1], 2, 2, 2), kernel_shape=(2, 2), group=group)
    return _consumer(draft, scaled, None)


def fold_shift_before(draft: Draft, x: Value) -> Value:
    if draft.choice.integer(0, 1):
        return draft.own("FusedGemm", draft.op("Add", draft.weight(shape(x)[3]), x), draft.weight(shape(x)[3], 2))
    return _consumer(draft, draft.op(draft.choice.pick(["Add", "Sub"]), x, per_channel(draft, x)), 0)


def merge_products(draft: Draft, x: Value) -> Value:
    channels, width, bias = shape(x)[1], shape(x)[3], bool(draft.choice.integer(0, 1))
    if draft.choice.integer(0, 1):
        inner = draft.own("FusedGemm", x, draft.weight(width, 9), *([draft.weight(9)] if bias else []))
        return draft.own("FusedGemm", inner, draft.weight(9, 2), draft.weight(2))
    inner = draft.own("FusedConv", x, draft.weight(channels + 2, channels, 1, 1), *([draft.weight(channels + 2)] if bias else []))
    pad = 0 if bias else draft.choice.integer(0, 1)
    return draft.own("FusedConv", inner, draft.weight(2, channels + 2, 3, 3), draft.weight(2), pads=(pad,) * 4)


def scale_shift_to_conv(draft: Draft, x: Value) -> Value:
    scaled = draft.op("Mul", x, per_channel(draft, x))
    return draft.op("Add", per_channel(draft, x), scaled)


def fuse_residual(draft: Draft, x: Value) -> Value:
    width = shape(x)[3]
    product = draft.own("FusedGemm", x, draft.weight(width, width))
    other = draft.choice.pick([x, draft.op("Neg", x), draft.own("FusedGemm", x, draft.weight(width, width), draft.weight(width))])
    return draft.op("Add", product, other) if draft.choice.integer(0, 1) else draft.op("Add", other, product)


def fuse_activation(draft: Draft, x: Value) -> Value:
    y = draft.choice.pick([draft.conv(x), draft.own("FusedGemm", x, draft.weight(shape(x)[3], 2))])
    op = draft.choice.pick(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Clip", "Silu", "HardSwish"])
    if op == "Clip":
        bounds = draft.choice.pick([(0.0, 6.0), (-0.5, 0.5), (0.0, None), (None, 0.3)])
        return draft.op("Clip", y, *(None if b is None else draft.constant(b) for b in bounds))
    return draft.own(op, y) if op in ("Silu", "HardSwish") else draft.op(op, y)


def fuse_prelu(draft: Draft, x: Value) -> Value:
    y = draft.own("FusedConv", x, draft.weight(3, shape(x)[1], 1, 1), *([draft.weight(3)] if draft.choice.integer(0, 1) else []))
    return draft.op("PRelu", y, draft.weight(*draft.choice.pick([(3, 1, 1), (1, 3, 1, 1)]), low=-1.0))


def fold_gate_into_conv(draft: Draft, x: Value) -> Value:
    x, count = (draft.op("Slice", x, draft.ints(0), draft.ints(1), draft.ints(0)) if shape(x)[0] > 1 else x), shape(x)[1]
    gate = draft.op("Sigmoid", draft.op("GlobalAveragePool", x))
    gated = draft.op("Mul", x, gate) if draft.choice.integer(0, 1) else draft.op("Mul", gate, x)
    return draft.own("FusedConv", gated, draft.weight(3, count, 1, 1), *([draft.weight(3)] if draft.choice.integer(0, 1) else []))


def prelu_to_leaky_relu(draft: Draft, x: Value) -> Value:
    shape_of_slopes = draft.choice.pick([(1,), (shape(x)[1], 1, 1), ()])
    slopes = np.full(shape_of_slopes, draft.choice.pick([0.25, 0.0, -0.5, 1.5]), np.float32)
    return draft.op("PRelu", draft.op("Neg", x), draft.constant(slopes))


def recognize_rms_norm(draft: Draft, x: Value) -> Value:
    square = draft.op("Mul", x, x) if draft.choice.integer(0, 1) else draft.op("Pow", x, draft.constant(2.0))
    axes = draft.choice.pick([(-1,), (2, 3)])
    shifted = draft.op("Add", mean(draft, square, *axes), draft.constant(1e-3))
    form = draft.choice.integer(0, 3)
    if form == 0:
        y = draft.op("Mul", x, draft.op("Pow", shifted, draft.constant(-0.5)))
    elif form == 1:
        y = draft.op("Div", x, draft.op("Sqrt", shifted))
    else:
        root = draft.op("Sqrt", shifted)
        inverse = draft.op("Reciprocal", root) if form == 2 else draft.op("Div", draft.constant(1.0), root)
        y = draft.op("Mul", inverse, x)
    kept = shape(x)[2:] if len(axes) == 2 else shape(x)[3:]
    return draft.op("Mul", draft.weight(*kept), y) if draft.choice.integer(0, 1) else draft.op("Neg", y)
