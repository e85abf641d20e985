"""For every pass a builder of its pattern: ``PATTERNS[name](draft, x)`` appends nodes that the pass rewrites."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from edgeopt.ir import Graph, Node, TensorType, Value
from edgeopt.ir.match import shape_of
from tests.strategies import OPSETS, Draft, Drawn, Seeded, finish, grow

Pattern = Callable[[Draft, Value], Value]
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def shape(value: Value) -> tuple[int, ...]:
    """The static shape."""
    dims = shape_of(value)
    assert dims is not None
    return dims


def _axes(draft: Draft, *axes: int) -> tuple[list[Value], dict[str, Any]]:
    """Axes of a reduction as the opset takes them: (inputs, attributes)."""
    return ([draft.ints(*axes)], {}) if draft.graph.opset >= 18 else ([], {"axes": axes})


def mean(draft: Draft, x: Value, *axes: int, keepdims: int = 1) -> Value:
    """ReduceMean over ``axes``."""
    inputs, attributes = _axes(draft, *axes)
    return draft.op("ReduceMean", x, *inputs, keepdims=keepdims, **attributes)


def per_channel(draft: Draft, x: Value, low: float = 0.5, high: float = 2.0) -> Value:
    """A constant [C, 1, 1], or a number."""
    return draft.weight(*draft.choice.pick([(shape(x)[1], 1, 1), ()]), low=low, high=high)


def constant_folding(draft: Draft, x: Value) -> Value:
    return draft.op("Add", x, draft.op("Tanh", draft.op("Neg", draft.weight(shape(x)[3]))))


def fold_shape(draft: Draft, x: Value) -> Value:
    size = draft.op("Cast", draft.op("Size", x), to=1)
    return draft.op("Mul", draft.op("Reshape", x, draft.op("Shape", x)), draft.op("Tanh", size))


def refine_types(draft: Draft, x: Value) -> Value:
    y = draft.op("Relu", x)
    y.type = TensorType("float32", (None, *shape(x)[1:]))
    return y


def inline_if(draft: Draft, x: Value) -> Value:
    graph, chosen = draft.graph, bool(draft.choice.integer(0, 1))
    branches = {}
    for name, op in (("then_branch", "Neg"), ("else_branch", "Tanh")):
        inner = Graph(name=name, parent=graph)
        weight = inner.constant("w", np.full(shape(x)[3], 0.5, np.float32))
        scaled = inner.make("Mul", [x, weight], [x.type])
        inner.outputs = [inner.make(op, [scaled.output], [x.type]).output]
        branches[name] = inner
    node = graph.make("If", [draft.constant(chosen, "bool")], [x.type], attributes=branches)
    draft.made.append(node.output)
    return node.output


def eliminate_identity(draft: Draft, x: Value) -> Value:
    op = draft.choice.pick(["Identity", "Dropout", "Sum", "Concat"])
    return draft.op("Neg", draft.op(op, x, axis=1) if op == "Concat" else draft.op(op, x))


def eliminate_noop(draft: Draft, x: Value) -> Value:
    kind = draft.choice.integer(0, 6)
    if kind == 0:
        return draft.op("Cast", x, to=1)
    if kind == 1:
        return draft.op("Transpose", x, perm=(0, 1, 2, 3))
    if kind == 2:
        return draft.op("Pad", x, draft.ints(*[0] * 8))
    if kind == 3:
        return draft.op("Slice", x, draft.ints(0), draft.ints(2**40), draft.ints(-1))
    if kind == 4:
        return draft.op("Expand", x, draft.ints(1, shape(x)[1], 1, 1))
    if kind == 5:
        return draft.op("Reshape", x, draft.ints(0, 0, -1, shape(x)[3]))
    op, neutral = draft.choice.pick([("Add", 0.0), ("Mul", 1.0), ("Div", 1.0), ("Sub", 0.0)])
    return draft.op(op, x, draft.constant(neutral))


def merge_casts(draft: Draft, x: Value) -> Value:
    return draft.op("Cast", draft.op("Cast", x, to=11), to=draft.choice.pick([1, 6]))


def canonicalize_reshape(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    kind = draft.choice.integer(0, 2)
    if kind == 0:
        return draft.op("Flatten", x)
    return draft.op("Unsqueeze", x, draft.ints(1)) if kind == 1 else draft.op("Reshape", x, draft.ints(0, -1, h))


def merge_reshapes(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    return draft.op("Reshape", draft.op("Reshape", x, draft.ints(n, c * h, w)), draft.ints(n, c, h * w))


def merge_slices(draft: Draft, x: Value) -> Value:
    first = draft.op("Slice", x, draft.ints(1), draft.ints(99), draft.ints(2), draft.ints(draft.choice.integer(1, 2)))
    axis = draft.choice.pick([2, 3, -1])
    return draft.op("Slice", first, draft.ints(draft.choice.pick([0, 1, -1])), draft.ints(99), draft.ints(axis))


def merge_concats(draft: Draft, x: Value) -> Value:
    axis = draft.choice.integer(0, 3)
    return draft.op("Concat", draft.op("Neg", x), draft.op("Concat", x, draft.op("Tanh", x), axis=axis - 4), axis=axis)


def split_to_slice(draft: Draft, x: Value) -> Value:
    c = shape(x)[1]
    draft.op("Split", x, draft.ints(1, c - 1), outputs=2, axis=1)
    first, second = draft.made.pop(-2), draft.made.pop()
    return draft.op("Neg", draft.choice.pick([first, second]))


def slice_of_concat(draft: Draft, x: Value) -> Value:
    axis = draft.choice.integer(1, 3)
    size = shape(x)[axis]
    start = draft.choice.pick([0, size])
    end = start + draft.choice.integer(1, size)
    joined = draft.op("Concat", x, draft.op("Neg", x), axis=axis)
    return draft.op("Slice", joined, draft.ints(start), draft.ints(end), draft.ints(axis))


def gather_to_slice(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    if draft.choice.integer(0, 1):
        index = draft.constant(draft.choice.pick([0, 1, -1]), "int64")
        return draft.op("Gather", x, index, axis=draft.choice.integer(1, 3))
    wide = draft.op("Concat", x, draft.op("Neg", x), axis=1)
    pairs = draft.op("Reshape", wide, draft.ints(n * c, 2, h * w))
    halves = draft.op("Reshape", draft.op("Transpose", pairs, perm=(1, 0, 2)), draft.ints(2, n, c, h, w))
    return draft.op("Gather", halves, draft.constant(draft.choice.integer(0, 1), "int64"), axis=0)


def merge_constant_operands(draft: Draft, x: Value) -> Value:
    op = draft.choice.pick(["Add", "Mul"])
    first = draft.op(op, x, draft.choice.pick([draft.constant(0.5), draft.weight(shape(x)[3])]))
    return draft.op(op, draft.weight(*draft.choice.pick([(), (1,)])), first)


def move_activation_up(draft: Draft, x: Value) -> Value:
    y = draft.conv(x)
    n, c, h, w = shape(y)
    turned = bool(draft.choice.integer(0, 1))
    moved = draft.op("Transpose", y, perm=TO_NHWC) if turned else draft.op("Reshape", y, draft.ints(n, c, h * w))
    op = draft.choice.pick(["Relu", "Sigmoid", "Clip"])
    return draft.op(op, moved, draft.constant(-0.5)) if op == "Clip" else draft.op(op, moved)


def reshape_around_softmax(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    op = draft.choice.pick(["Softmax", "LogSoftmax"])
    matrix = draft.op(op, draft.op("Reshape", x, draft.ints(n * c * h, w)), axis=draft.choice.pick([1, -1]))
    return draft.op("Reshape", matrix, draft.ints(n, c, h, w))


def merge_transposes(draft: Draft, x: Value) -> Value:
    second = draft.choice.pick([TO_NCHW, (3, 2, 1, 0), (0, 1, 3, 2)])
    return draft.op("Transpose", draft.op("Transpose", x, perm=TO_NHWC), perm=second)


def transpose_to_reshape(draft: Draft, x: Value) -> Value:
    return draft.op("Transpose", draft.op("GlobalAveragePool", x), perm=draft.choice.pick([TO_NHWC, (0, 1, 3, 2), (2, 3, 0, 1)]))


def move_transposes(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    y = draft.op("Transpose", x, perm=TO_NHWC)
    kind = draft.choice.integer(0, 5)
    if kind == 0:
        y = draft.op("Mul", draft.op("Add", y, draft.weight(c)), draft.op("Sigmoid", y))
    elif kind == 1:
        y = draft.op("Concat", y, draft.op("Relu", y), axis=3)
    elif kind == 2:
        y = draft.op("Pad", y, draft.ints(0, 1, 0, 0, 0, 0, 1, 2), draft.constant(0.5))
    elif kind == 3:
        y = draft.op("Softmax", y, axis=-1)
    elif kind == 4:
        y = draft.op("Slice", y, draft.ints(0, 1), draft.ints(1, 9), draft.ints(-1, 1))
    else:
        return mean(draft, y, 1, 2, keepdims=draft.choice.integer(0, 1))
    return draft.op("Transpose", y, perm=TO_NCHW)


def pool_to_global(draft: Draft, x: Value) -> Value:
    return draft.op("AveragePool", x, kernel_shape=shape(x)[2:])


def reduce_mean_to_global_pool(draft: Draft, x: Value) -> Value:
    return mean(draft, x, *draft.choice.pick([(2, 3), (-1, -2)]), keepdims=draft.choice.integer(0, 1))


def reshape_before_global_pool(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    target = draft.choice.pick([(n, c, w, h), (n, c, h * w), (n, c, 1, h, w)])
    return draft.op(draft.choice.pick(["GlobalAveragePool", "GlobalMaxPool"]), draft.op("Reshape", x, draft.ints(*target)))


def explicit_padding(draft: Draft, x: Value) -> Value:
    mode, size = draft.choice.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]), draft.choice.integer(1, 3)
    kernel, strides = (size, 2), (draft.choice.integer(1, size), 1)
    if draft.choice.integer(0, 1):
        return draft.op("MaxPool", x, kernel_shape=kernel, strides=strides, auto_pad=mode)
    return draft.op("Conv", x, draft.weight(2, shape(x)[1], *kernel), auto_pad=mode, strides=strides)


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


def reshape_around_gemm(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    gemm = draft.own("FusedGemm", draft.op("Reshape", x, draft.ints(n * c * h, w)), draft.weight(w, 3), draft.weight(3))
    return draft.op("Reshape", gemm, draft.ints(n, c, h, 3))


def decompose_batch_norm(draft: Draft, x: Value) -> Value:
    y = draft.choice.pick([x, draft.conv(x), draft.op("Flatten", x)])
    c = shape(y)[1]
    statistics = [draft.weight(c), draft.weight(c), draft.weight(c), draft.weight(c, low=0.1, high=2.0)]
    return draft.op("BatchNormalization", y, *statistics, epsilon=1e-3)


def fold_pad_into_conv(draft: Draft, x: Value) -> Value:
    pads = [0, 0, *(draft.choice.integer(0, 2) for _ in range(2)), 0, 0, *(draft.choice.integer(0, 2) for _ in range(2))]
    filler = [draft.constant(0.0)] if draft.choice.integer(0, 1) else []
    return draft.conv(draft.op("Pad", x, draft.ints(*pads), *filler))


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
        y = draft.op("ConvTranspose", x, draft.weight(shape(x)[1], 2, 2, 2), kernel_shape=(2, 2), strides=(2, 1))
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
        return draft.op("ConvTranspose", scaled, draft.weight(shape(x)[1], 2, 2, 2), kernel_shape=(2, 2))
    return _consumer(draft, scaled, None)


def fold_shift_before(draft: Draft, x: Value) -> Value:
    if draft.choice.integer(0, 1):
        return draft.own("FusedGemm", draft.op("Add", draft.weight(shape(x)[3]), x), draft.weight(shape(x)[3], 2))
    return _consumer(draft, draft.op(draft.choice.pick(["Add", "Sub"]), x, per_channel(draft, x)), 0)


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


def common_subexpressions(draft: Draft, x: Value) -> Value:
    return draft.op("Add", draft.op("Softmax", x, axis=1), draft.op("Softmax", x, axis=1))


def dead_code(draft: Draft, x: Value) -> Value:
    draft.op("Conv", x, draft.weight(2, shape(x)[1], 1, 1))
    draft.made.pop()
    return draft.op("Neg", x)


PATTERNS: dict[str, Pattern] = {
    f.__name__: f
    for f in (
        canonicalize_conv, canonicalize_gemm, canonicalize_matmul, canonicalize_reshape, common_subexpressions,
        constant_folding, dead_code, decompose_batch_norm, division_to_product, eliminate_identity, eliminate_noop,
        explicit_padding, fold_pad_into_conv, fold_pad_into_pool, fold_scale_after, fold_scale_before, fold_shape,
        fold_shift_after, fold_shift_before, fuse_activation, fuse_residual, gather_to_slice, inline_if, merge_casts,
        merge_concats, merge_constant_operands, merge_reshapes, merge_slices, merge_transposes, move_activation_up,
        move_transposes, pool_to_global, recognize_gelu, recognize_hard_sigmoid, recognize_hard_swish, recognize_layer_norm,
        recognize_mish, recognize_silu, reduce_mean_to_global_pool, refine_types, reshape_around_gemm, reshape_around_softmax,
        reshape_before_global_pool, slice_of_concat, split_to_slice, transpose_to_reshape,
    )
}  # fmt: skip


def pattern_graph(name: str, seed: int) -> Graph:
    """The pattern of the pass ``name`` alone, between one input and one output."""
    draft = Draft(Seeded(seed), OPSETS[seed % len(OPSETS)])
    result = PATTERNS[name](draft, draft.image())
    draft.graph.outputs = [result]
    return draft.graph


@st.composite
def around(draw: st.DrawFn, name: str) -> Graph:
    """The pattern of the pass ``name`` among random operators, some of which may read its inner values."""
    choice = Drawn(draw)
    draft = Draft(choice, choice.pick(OPSETS))
    x = draft.image()
    for _ in range(choice.integer(0, 2)):
        x = draft.op(choice.pick(["Relu", "Tanh", "Neg"]), x)
    PATTERNS[name](draft, x)
    grow(draft, choice.integer(0, 4))
    return finish(draft, choice.integer(0, 1))


def nodes(graph: Graph, op: str) -> list[Node]:
    """The nodes of operator ``op``."""
    return [node for node in graph.nodes if node.op == op]


def sketch(opset: int = 13) -> tuple[Draft, Value]:
    """An empty draft with one input [1, 3, 6, 5], for graphs written out by hand."""
    draft = Draft(Seeded(0), opset)
    return draft, draft.input((1, 3, 6, 5))


def closed(draft: Draft, *outputs: Value) -> Graph:
    """The graph of ``draft`` with these outputs."""
    draft.graph.outputs = list(outputs)
    return draft.graph
