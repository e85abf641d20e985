"""Patterns of the passes that move, rename or drop: each builder appends nodes that the pass of its name rewrites."""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Graph, TensorType, Value
from tests.passes.building import TO_NCHW, TO_NHWC, mean, shape
from tests.strategies import Draft


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


def cast_like_to_cast(draft: Draft, x: Value) -> Value:
    draft.graph.opsets[""] = max(draft.graph.opset, 15)  # the first that has CastLike
    return draft.op("Add", x, draft.op("CastLike", draft.weight(shape(x)[3]), x))


def _shuffled(draft: Draft, x: Value) -> Value:
    channels = shape(x)[1]
    return draft.op("Gather", x, draft.ints(*np.roll(np.arange(channels)[::-1], 1)), axis=1)


def fold_gather_after(draft: Draft, x: Value) -> Value:
    return _shuffled(draft, draft.own("FusedConv", x, draft.weight(3, shape(x)[1], 1, 1), draft.weight(3), activation="Relu"))


def fold_gather_before(draft: Draft, x: Value) -> Value:
    return draft.own("FusedConv", _shuffled(draft, x), draft.weight(3, shape(x)[1], 1, 1), draft.weight(3))


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
    start, step = draft.choice.pick([0, 1, -1]), draft.choice.integer(1, 2)
    return draft.op("Slice", first, draft.ints(start), draft.ints(99), draft.ints(axis), draft.ints(step))


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


def reshape_around_gemm(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    gemm = draft.own("FusedGemm", draft.op("Reshape", x, draft.ints(n * c * h, w)), draft.weight(w, 3), draft.weight(3))
    return draft.op("Reshape", gemm, draft.ints(n, c, h, 3))


def common_subexpressions(draft: Draft, x: Value) -> Value:
    return draft.op("Add", draft.op("Softmax", x, axis=1), draft.op("Softmax", x, axis=1))


def dead_code(draft: Draft, x: Value) -> Value:
    draft.op("Conv", x, draft.weight(2, shape(x)[1], 1, 1))
    draft.made.pop()
    return draft.op("Neg", x)


def separate_volume_pool(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    volume = draft.op("Reshape", x, draft.ints(n, 1, c, h, w))
    strides = [draft.choice.integer(1, 2) for _ in range(3)]
    kernel, pads = (3, 3, 3), (1, 2, 1, 2, 1, 1)
    if draft.choice.integer(0, 1):
        return draft.op("MaxPool", volume, kernel_shape=kernel, strides=strides, pads=pads)
    counted = draft.choice.integer(0, 1)
    return draft.op("AveragePool", volume, kernel_shape=kernel, strides=strides, pads=pads, count_include_pad=counted)


def lift_window(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    if draft.choice.integer(0, 1):
        column = draft.op("Reshape", x, draft.ints(n, c, h * w, 1))
        return draft.own("FusedConv", column, draft.weight(4, c, 3, 1), draft.weight(4), pads=(2, 0, 1, 0), dilations=(2, 1))
    row = draft.op("Reshape", x, draft.ints(n, c, h * w))
    return draft.own("FusedConv", row, draft.weight(4, c, 3), draft.weight(4), strides=(2,), pads=(2, 0))


def move_reshape_down(draft: Draft, x: Value) -> Value:
    n, c, h, w = shape(x)
    plane = draft.op("Reshape", x, draft.ints(n, c, 1, h * w))
    row = draft.op("Reshape", plane, draft.ints(n, c, h * w, *([1] if draft.choice.integer(0, 1) else [])))
    other = draft.weight(c, *[1] * (len(shape(row)) - 2))
    return draft.op(draft.choice.pick(["Add", "Mul", "PRelu"]), row, other)


def concat_of_slices(draft: Draft, x: Value) -> Value:
    axis = draft.choice.integer(1, 3)
    size = shape(x)[axis]
    at = draft.choice.integer(1, size - 1)
    if draft.choice.integer(0, 1):
        draft.op("Split", x, draft.ints(at, size - at), outputs=2, axis=axis)
        parts = draft.made[-2:]
    else:
        bounds = [(draft.ints(a), draft.ints(b), draft.ints(axis)) for a, b in ((0, at), (at, size))]
        parts = [draft.op("Slice", x, *b) for b in bounds]
    return draft.op("Concat", *parts, draft.op("Neg", parts[1]), axis=axis)
