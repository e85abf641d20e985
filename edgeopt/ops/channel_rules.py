"""How each operator passes classes of channels on, for ``channels``. A rule that cannot returns False, having done nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgeopt.ir import Node, Value
from edgeopt.ir.match import integers, shape_of
from edgeopt.ops.channels import Classing
from edgeopt.ops.layer import channel_axis, input_channels, is_linear, output_channels

Rule = Callable[[Classing, Node], bool]
ELEMENTWISE = (
    ("Abs", "Add", "Cast", "Ceil", "Celu", "Clip", "Div", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid")
    + ("HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu")
    + ("Round", "Selu", "Sigmoid", "Sign", "Silu", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu")
)
POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "GlobalLpPool", "MaxPool")


def _layer(found: Classing, node: Node) -> bool:
    """Dense layers mix their inputs and make new channels; of depthwise ones each channel follows its input."""
    groups = node.integer("group", 1)
    if not node.is_own("FusedConv", "FusedGemm") or not is_linear(node) or len(node.inputs) > 4 or not _plain_bias(node):
        return False
    if groups == 1:
        return _dense(found, node)
    return groups == output_channels(node) == input_channels(node) and _depthwise(found, node)


def _plain_bias(node: Node) -> bool:
    """Whether the bias holds a number for each channel, and the residual, if any, is a computed map as large as the output."""
    bias, residual = node.constant(2), node.input(3)
    plain = residual is None or (not residual.is_constant and shape_of(residual) == shape_of(node.output))
    return plain and (bias is None or bias.shape == (output_channels(node),))


def _dense(found: Classing, node: Node) -> bool:
    axis, x = channel_axis(node), node.inputs[0]
    assert x is not None
    read, made = found.of(x, axis), found.fresh(output_channels(node))
    rows, columns = (1, 0) if node.op == "FusedGemm" else (0, 1)
    found.found.operands[node.name, 1] = [(rows, made), (columns, read)]
    found.found.readers[node.name], found.found.makers[node.name] = read, made
    return _finished(found, node, axis, made)


def _depthwise(found: Classing, node: Node) -> bool:
    x = node.inputs[0]
    assert x is not None
    classes = found.of(x, 1)
    found.found.operands[node.name, 1] = [(0, classes)]
    found.found.depthwise.add(node.name)
    return _finished(found, node, 1, classes)


def _finished(found: Classing, node: Node, axis: int, classes: np.ndarray) -> bool:
    """Bias and residual."""
    if node.input(2) is not None:
        found.found.operands[node.name, 2] = [(0, classes)]
    residual = node.input(3)
    if residual is not None:
        found.unite(classes, found.of(residual, axis))
    return found.gives(node, axis, classes)


def _elementwise(found: Classing, node: Node) -> bool:
    """Channels that meet belong together; a constant may have a number for each."""
    computed, out = _computed(node), shape_of(node.output)
    axis = found.axis(computed)
    if axis is None or out is None or any(_size(v, axis, len(out)) != out[axis] for v in computed):
        return False
    classes = found.of(computed[0], axis)
    for other in computed[1:]:
        found.unite(classes, found.of(other, axis))
    for index, value in enumerate(node.inputs):
        if value is not None and value.is_constant and _size(value, axis, len(out)) == out[axis] > 1:
            found.found.operands[node.name, index] = [(axis - len(out) + len(shape_of(value) or ()), classes)]
    return found.gives(node, axis, classes)


def _computed(node: Node) -> list[Value]:
    return [v for v in node.inputs if v is not None and not v.is_constant]


def _size(value: Value, axis: int, rank: int) -> int:
    """The elements of ``value`` along ``axis`` of a result of ``rank``; 0 where computed ranks differ."""
    dims = shape_of(value) or ()
    at = axis - rank + len(dims)
    return dims[at] if at >= 0 and (value.is_constant or len(dims) == rank) else 0


def _pool(found: Classing, node: Node) -> bool:
    x = node.inputs[0]
    assert x is not None
    return found.gives(node, 1, found.of(x, 1))


def _concat(found: Classing, node: Node) -> bool:
    values = [v for v in node.inputs if v is not None]
    axis, along = found.axis(values), node.integer("axis", 0) % len(shape_of(node.output) or (1,))
    if axis is None:
        return False
    parts = [found.of(v, axis) for v in values]
    if along == axis:
        return found.gives(node, axis, np.concatenate(parts))
    for part in parts[1:]:
        found.unite(parts[0], part)
    return found.gives(node, axis, parts[0])


def _reshape(found: Classing, node: Node) -> bool:
    """A map whose places are put in another shape, or a sample flattened."""
    x, before, after = node.inputs[0], shape_of(node.input(0)), shape_of(node.output)
    assert x is not None and before is not None and after is not None
    axis = found.axis([x])
    if axis is None or before[:1] != after[:1]:
        return False
    if axis == 1 and before[:2] == after[:2]:
        return found.gives(node, 1, found.of(x, 1))
    if axis == 0 or len(after) != 2:
        return False
    shape = [1] * (len(before) - 1)
    shape[axis - 1] = before[axis]
    return found.gives(node, 1, np.broadcast_to(found.of(x, axis).reshape(shape), before[1:]).reshape(-1))


def _transpose(found: Classing, node: Node) -> bool:
    x = node.inputs[0]
    axis = found.axis([x]) if x is not None else None
    if axis is None or x is None:
        return False
    rank = len(shape_of(x) or ())
    order = node.integers("perm", tuple(range(rank))[::-1])
    return found.gives(node, order.index(axis), found.of(x, axis))


def _pad(found: Classing, node: Node) -> bool:
    """Channels that are padded on are new; those of a constant belong to what they are added to."""
    x, pads, rank = node.inputs[0], integers(node, 1, "pads"), len(shape_of(node.output) or ())
    axis = found.axis([x]) if x is not None else None
    if x is None or axis is None or pads is None or len(node.inputs) > 3 or len(pads) != 2 * rank:
        return False
    begin, end = pads[axis], pads[rank + axis]
    if not begin and not end:
        return found.gives(node, axis, found.of(x, axis))
    if min(begin, end) < 0 or node.text("mode", "constant") != "constant" or node.input(1) is None:
        return False
    before, after = found.fresh(begin), found.fresh(end)
    found.found.pads[node.name] = axis, before, after
    return found.gives(node, axis, np.concatenate([before, found.of(x, axis), after]))


def _slice(found: Classing, node: Node) -> bool:
    """Places that are left out are none of channels."""
    x, dims, axes = node.inputs[0], shape_of(node.input(0)), integers(node, 3, "axes")
    axis = found.axis([x]) if x is not None else None
    if x is None or dims is None or axis is None or axes is None or axis in [a % len(dims) for a in axes]:
        return False
    return found.gives(node, axis, found.of(x, axis))


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(POOLS, _pool),
    **dict.fromkeys(("FusedConv", "FusedGemm"), _layer),
    **dict.fromkeys(("Flatten", "Reshape"), _reshape),
    "Concat": _concat,
    "Pad": _pad,
    "Slice": _slice,
    "Transpose": _transpose,
}
