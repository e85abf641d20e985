"""Products whose input was quantised at run time, in the standard form that the pipeline recognises."""

from __future__ import annotations

from edgeopt.frontend.vendor.contract import Contract
from edgeopt.ir import Node
from edgeopt.ops.definition import Body


def _to_float(node: Node, body: Body) -> None:
    """A (codes), B, a_scale, b_scale, a_zero, b_zero, bias: (A - a_zero) @ (B - b_zero) * a_scale * b_scale + bias."""
    zeros = [f"x{i}" if node.input(i) is not None else "" for i in (4, 5)]
    _product(body, ["x0", "x1", *zeros], "x2", "x3", "x6" if node.input(6) is not None else "")


def _quantized(node: Node, body: Body) -> None:
    """A (float32), B, b_scale, b_zero, bias: A is quantised by its range."""
    body.call("DynamicQuantizeLinear", ["x0"], ["codes", "scale", "zero"], "")
    zero = "x3" if node.input(3) is not None else ""
    _product(body, ["codes", "x1", "zero", zero], "scale", "x2", "x4" if node.input(4) is not None else "")


def _product(body: Body, codes: list[str], a_scale: str, b_scale: str, bias: str) -> None:
    while not codes[-1]:
        codes.pop()
    sums = body.op("Cast", [body.op("MatMulInteger", codes)], to=1)
    y = body.op("Mul", [sums, body.op("Mul", [a_scale, b_scale])], "" if bias else "y0")
    if bias:
        body.op("Add", [y, bias], "y0")


CONTRACTS = {
    "MatMulIntegerToFloat": Contract(4, 7, _to_float),
    "DynamicQuantizeMatMul": Contract(3, 5, _quantized),
}
