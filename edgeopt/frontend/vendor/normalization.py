"""Layer normalization in onnxruntime's forms: with a skip connection, without a mean, with statistics as outputs."""

from __future__ import annotations

from edgeopt.frontend.vendor.contract import Contract
from edgeopt.ir import Node, onnx_code
from edgeopt.ops.definition import Body, element_type
from edgeopt.ops.normalization import last_axes, mean

HALVES = ("float16", "bfloat16")
STANDARD_SINCE = 17


def _layer(node: Node, body: Body) -> None:
    """X, Scale, B -> Y, mean, 1 / deviation."""
    layer_normalization(node, body, "x0", _scaling(node, 1), last_axes(node), ("y1", "y2"))


def _simplified(node: Node, body: Body) -> None:
    """X, Scale -> Y = X / sqrt(mean(X^2) + epsilon) * Scale, 1 / root."""
    _spelled_out(node, body, "x0", ["x1"], last_axes(node), ("", "y1"), False)


def _skip(node: Node, body: Body) -> None:
    """X, skip, gamma, beta, bias -> normalized sum, mean, 1 / deviation, sum."""
    layer_normalization(node, body, _sum(node, body, 4), _scaling(node, 2), [-1], ("y1", "y2"))


def _skip_simplified(node: Node, body: Body) -> None:
    """X, skip, gamma, bias -> normalized sum, mean, 1 / root, sum."""
    _spelled_out(node, body, _sum(node, body, 3), ["x2"], [-1], ("y1", "y2"), False)


def _scaling(node: Node, index: int) -> list[str]:
    return [f"x{i}" for i in (index, index + 1) if node.input(i) is not None]


def _sum(node: Node, body: Body, bias: int) -> str:
    """The sum of x0, x1 and the input ``bias``, which is the output y3 as well."""
    parts = ["x0", "x1", *([f"x{bias}"] if node.input(bias) is not None else [])]
    total = parts[0]
    for part in parts[1:]:
        total = body.op("Add", [total, part], "y3" if asked(node, "y3") and part == parts[-1] else "")
    return total


def layer_normalization(node: Node, body: Body, x: str, scaling: list[str], axes: list[int], statistics: tuple[str, str]) -> None:
    """Append y0 = (x - mean) / sqrt(variance + epsilon) * scale + offset with ``scaling`` = [scale, offset] or [scale].

    ``statistics`` names the outputs that take the mean and the inverse of the deviation, where the node has them.
    """
    epsilon, names = (
        node.real("epsilon", 1e-5 if node.op == "LayerNormalization" else 1e-12),
        [o for o in statistics if asked(node, o)],
    )
    if body.opset >= STANDARD_SINCE:
        outputs = ["y0", *(name if name in names else "" for name in statistics)]
        body.call("LayerNormalization", [x, *scaling], outputs[: 1 + 2 * bool(names)], "", axis=-len(axes), epsilon=epsilon)
    elif not names and element_type(node) not in HALVES:
        body.own("LayerNormalization", [x, *scaling], "y0", axis=-len(axes), epsilon=epsilon)
    else:
        _spelled_out(node, body, x, scaling, axes, statistics, True)


def _spelled_out(
    node: Node, body: Body, x: str, scaling: list[str], axes: list[int], statistics: tuple[str, str], centre: bool
) -> None:
    """The same in steps, in float32 for half precision; without ``centre`` the mean is not taken away."""
    dtype = element_type(node)
    wide = "float32" if dtype in HALVES else dtype
    x = body.op("Cast", [x], to=onnx_code(wide)) if wide != dtype else x
    middle = mean(body, x, axes) if centre or asked(node, statistics[0]) else ""
    centred = body.op("Sub", [x, middle]) if centre else x
    epsilon = body.constant(node.real("epsilon", 1e-12 if node.op.startswith("Skip") else 1e-5), wide)
    root = body.op("Sqrt", [body.op("Add", [mean(body, body.op("Mul", [centred, centred]), axes), epsilon])])
    y = body.op("Div", [centred, root])
    y = body.op("Cast", [y], to=onnx_code(dtype)) if wide != dtype else y
    y = body.op("Mul", [y, scaling[0]], "" if scaling[1:] else "y0")
    if scaling[1:]:
        body.op("Add", [y, scaling[1]], "y0")
    if asked(node, statistics[0]):
        body.op("Identity", [middle], statistics[0])
    if asked(node, statistics[1]):
        body.op("Reciprocal", [root], statistics[1])


def asked(node: Node, output: str) -> bool:
    """Whether ``node`` has the output named ``y1``, ``y2``..."""
    index = int(output[1:] or -1)
    return 0 <= index < len(node.outputs) and bool(node.outputs[index].name)


_AXIS = ("axis", "epsilon", "stash_type")
CONTRACTS = {
    "LayerNormalization": Contract(2, 3, _layer, _AXIS, 3),
    "SimplifiedLayerNormalization": Contract(2, 2, _simplified, _AXIS, 2),
    "SkipLayerNormalization": Contract(3, 5, _skip, ("epsilon",), 4),
    "SkipSimplifiedLayerNormalization": Contract(3, 4, _skip_simplified, ("epsilon",), 4),
}
