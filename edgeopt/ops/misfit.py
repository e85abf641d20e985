"""What does not fit in the shapes of a node's inputs although ONNX shape inference lets it pass.

Kernels trust these rules: a convolution whose input has more channels than its weights would read past their end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeopt.ir import Node
from edgeopt.ops.propagation import is_static

Shape = tuple[int, ...]
Shapes = Mapping[int, Shape]
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def misfit(node: Node) -> str:
    """A sentence about the first rule that ``node`` breaks, '' when it breaks none or its shapes are not static."""
    rule = None if node.domain else _RULES.get(node.op)
    if rule is None:
        return ""
    return rule(node, {i: v.type.dims for i, v in enumerate(node.inputs) if v is not None and v.type and is_static(v)})


def _conv(node: Node, shapes: Shapes) -> str:
    weights = 3 if node.op == "QLinearConv" else 1
    if 0 not in shapes or weights not in shapes:
        return ""
    x, w, group = shapes[0], shapes[weights], node.integer("group", 1)
    if group < 1 or len(x) < 3 or len(x) != len(w):
        return f"group {group}, input of shape {x}, weights of shape {w}"
    transposed = node.op == "ConvTranspose"
    channels, outputs = (w[0], w[1] * group) if transposed else (w[1] * group, w[0])
    if x[1] != channels or (w[0] if transposed else outputs) % group:
        return f"the input has {x[1]} channels, the weights of shape {w} in {group} group(s) take {channels}"
    bias = {"ConvTranspose": 2, "Conv": 2, "QLinearConv": 8}.get(node.op, -1)
    if shapes.get(bias, (outputs,)) != (outputs,):
        return f"the bias has shape {shapes[bias]}, {outputs} channels are computed"
    return ""


def _per_channel(node: Node, shapes: Shapes) -> str:
    if 0 not in shapes or len(shapes[0]) < 2:
        return ""
    channels = shapes[0][1]
    wrong = [shape for index, shape in shapes.items() if index > 0 and shape != (channels,)]
    return f"a parameter has shape {wrong[0]}, the input has {channels} channels" if wrong else ""


def _recurrent(node: Node, shapes: Shapes) -> str:
    if any(len(shapes.get(i, (0, 0, 0))) != 3 for i in (0, 1, 2)) or not {0, 1, 2} <= set(shapes):
        return ""
    x, w, r = (shapes[i] for i in (0, 1, 2))
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    hidden = node.integer("hidden_size", r[2])
    rows = GATES[node.op] * hidden
    if w != (directions, rows, x[2]) or r != (directions, rows, hidden):
        return f"input of shape {x}, weights {w}, recurrent weights {r}, hidden size {hidden}"
    if shapes.get(3, (directions, 2 * rows)) != (directions, 2 * rows):
        return f"the bias has shape {shapes[3]}, ({directions}, {2 * rows}) is needed"
    return ""


_RULES: dict[str, Callable[[Node, Shapes], str]] = {
    "Conv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _conv,
    "ConvTranspose": _conv,
    "BatchNormalization": _per_channel,
    "InstanceNormalization": _per_channel,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}
