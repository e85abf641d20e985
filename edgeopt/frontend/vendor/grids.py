"""Codes and their grids in bodies: three inputs, the zero point of which may be left out and then is 0."""

from __future__ import annotations

from edgeopt.ir import Attribute, Node
from edgeopt.ir.match import dtype_of
from edgeopt.ops.definition import Body


def real(node: Node, body: Body, index: int, axis: int | None = None, at: tuple[int, int] | None = None) -> str:
    """The float32 values of codes x``index``, whose scale and zero point are the next two inputs or those ``at``."""
    scale, zero = at or (index + 1, index + 2)
    names = [f"x{index}", f"x{scale}", *([f"x{zero}"] if node.input(zero) is not None else [])]
    return body.op("DequantizeLinear", names, axis=axis)


def operands(node: Node, body: Body, count: int) -> list[str]:
    """The first ``count`` inputs come in threes; a zero point that is left out becomes a constant."""
    dtype = dtype_of(node.input(0))
    zeros = {i for i in range(count) if i % 3 == 2} | {count - 1}
    return [f"x{i}" if i not in zeros or node.input(i) is not None else body.constant(0, dtype) for i in range(count)]


def codes(node: Node, body: Body, y: str, scale: int, zero: int) -> None:
    """Append y0, the codes of ``y`` on the grid of two inputs."""
    body.op("QuantizeLinear", [y, f"x{scale}", *([f"x{zero}"] if node.input(zero) is not None else [])], "y0")


def unary(op: str, node: Node, body: Body, attributes: dict[str, Attribute]) -> None:
    """x, x_scale, x_zero, y_scale, y_zero: ``op`` between the grids."""
    codes(node, body, body.op(op, [real(node, body, 0)], "", 1, **attributes), 3, 4)
