"""LayerNormalization and RMSNormalization, which the standard operator set gained with opset 17 and 23."""

from __future__ import annotations

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Node
from edgeopt.ops.definition import Body, OwnOp, element_type

AXES_AS_INPUT = 18  # from this opset ReduceMean takes its axes as an input


def _layer_normalization(node: Node, body: Body) -> None:
    """inputs X, Scale, B (optional): Y = (X - mean) / sqrt(variance + epsilon) * Scale + B over the axes from ``axis`` on.

    Scale and B broadcast to X (Ba, Kiros and Hinton, Layer Normalization, 2016, equation 4).
    """
    axes = last_axes(node)
    centred = body.op("Sub", ["x0", mean(body, "x0", axes)])
    variance = mean(body, body.op("Mul", [centred, centred]), axes)
    epsilon = body.constant(node.real("epsilon", 1e-5), element_type(node))
    y = body.op("Div", [centred, body.op("Sqrt", [body.op("Add", [variance, epsilon])])])
    if node.input(2) is None:
        body.op("Mul", [y, "x1"], "y0")
    else:
        body.op("Add", [body.op("Mul", [y, "x1"]), "x2"], "y0")


def _rms_normalization(node: Node, body: Body) -> None:
    """inputs X, Scale: Y = X / sqrt(mean(X^2) + epsilon) * Scale over the axes from ``axis`` on; Scale broadcasts to X."""
    square = mean(body, body.op("Mul", ["x0", "x0"]), last_axes(node))
    epsilon = body.constant(node.real("epsilon", 1e-5), element_type(node))
    root = body.op("Sqrt", [body.op("Add", [square, epsilon])])
    body.op("Mul", [body.op("Div", ["x0", root]), "x1"], "y0")


def last_axes(node: Node) -> list[int]:
    """The axes from the attribute ``axis`` on. Raises EdgeoptError when that counts from the front and the rank is unknown."""
    axis = node.integer("axis", -1)
    if axis < 0:
        return list(range(axis, 0))
    value = node.input(0)
    if value is None or value.type is None or value.type.shape is None:
        raise EdgeoptError(f"{node!r} counts its axis {axis} from the front, but the rank of its input is unknown")
    return list(range(axis, len(value.type.shape)))


def mean(body: Body, x: str, axes: list[int]) -> str:
    """Append the mean of ``x`` over ``axes``, which stay with size 1; returns the name of its output."""
    if body.opset < AXES_AS_INPUT:
        return body.op("ReduceMean", [x], axes=axes, keepdims=1)
    return body.op("ReduceMean", [x, body.constant(axes, "int64")], keepdims=1)


LAYER_NORMALIZATION = OwnOp("LayerNormalization", _layer_normalization)
RMS_NORMALIZATION = OwnOp("RMSNormalization", _rms_normalization)
