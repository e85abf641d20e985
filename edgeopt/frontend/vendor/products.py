"""Products and convolutions with what onnxruntime fused into them."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.frontend.vendor.contract import Contract, activated, given, transposed
from edgeopt.ir import Attribute, Node
from edgeopt.ir.match import rank_of
from edgeopt.ops.definition import Body, element_type
from edgeopt.ops.fused import CONV_ATTRIBUTES

GEMM_ATTRIBUTES = ("alpha", "beta", "transA", "transB")
TRANSPOSED_ATTRIBUTES = ("output_padding", "output_shape", *CONV_ATTRIBUTES)
KINDS = ("", "Relu", "Tanh", "Sigmoid", "LeakyRelu", "Clip", "HardSigmoid")


def _conv(node: Node, body: Body) -> None:
    """X, W, B, Z: activation(Conv(X, W, B) + Z)."""
    y = body.op("Conv", given(node, 3), "", 1, **_kept(node, CONV_ATTRIBUTES))
    if node.input(3) is not None:
        y = body.op("Add", [y, "x3"])
    _known(node)
    parameters = node.attributes.get("activation_params")
    activated(node, body, y, [float(v) for v in parameters] if isinstance(parameters, (list, tuple)) else [])


def _gemm(node: Node, body: Body) -> None:
    y = body.op("Gemm", given(node, 3), "", 1, **_kept(node, GEMM_ATTRIBUTES))
    _known(node)
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    activated(node, body, y, [node.real(name, 0.0) for name in names if name in node.attributes])


def _known(node: Node) -> None:
    kind = node.text("activation", "")
    if kind not in KINDS:
        raise EdgeoptError(
            f"{node!r} has the unknown activation '{kind}'; optimise the model with onnxruntime at basic level only"
        )


def _matmul(node: Node, body: Body) -> None:
    """alpha * A' @ B': ``trans`` swaps the last two axes, ``transBatch`` moves the first axis before the last first."""
    factors = [_operand(node, body, index, letter) for index, letter in enumerate("AB")]
    alpha = node.real("alpha", 1.0)
    y = body.op("MatMul", factors, "y0" if alpha == 1.0 else "")
    if alpha != 1.0:
        body.op("Mul", [y, body.constant(alpha, element_type(node))], "y0")


def _operand(node: Node, body: Body, index: int, letter: str) -> str:
    rank = rank_of(node.input(index))
    swap, batch = node.integer(f"trans{letter}", 0), node.integer(f"transBatch{letter}", 0)
    if rank is None and (swap or batch):
        raise EdgeoptError(f"{node!r} transposes an input of unknown rank; give the model's inputs a shape")
    order = list(range(rank or 0))
    if batch and len(order) > 2:
        order = [*order[1:-1], 0, order[-1]]
    if swap and len(order) > 1:
        order = [*order[:-2], order[-1], order[-2]]
    return transposed(node, body, index, order)


def _conv_transpose(node: Node, body: Body) -> None:
    """X, W, Pads, B: the pads come as an input."""
    pads = node.constant(2)
    if node.input(2) is not None and pads is None:
        raise EdgeoptError(
            f"{node!r} has pads that are computed; give the model's inputs fixed shapes before onnxruntime optimises it"
        )
    kept = _kept(node, TRANSPOSED_ATTRIBUTES)
    if pads is not None:
        kept["pads"] = [int(p) for p in np.asarray(pads).reshape(-1)]
    names = ["x0", "x1", *(["x3"] if node.input(3) is not None else [])]
    body.op("ConvTranspose", names, "y0", 1, **kept)


def _kept(node: Node, names: tuple[str, ...]) -> dict[str, Attribute]:
    return {k: node.attributes[k] for k in names if k in node.attributes}


_TRANSPOSITIONS = ("alpha", "transA", "transB", "transBatchA", "transBatchB")
CONTRACTS = {
    "FusedConv": Contract(2, 4, _conv, (*CONV_ATTRIBUTES, "activation", "activation_params")),
    "FusedGemm": Contract(
        2, 3, _gemm, (*GEMM_ATTRIBUTES, "activation", "activation_alpha", "activation_beta", "activation_gamma")
    ),
    "FusedMatMul": Contract(2, 2, _matmul, _TRANSPOSITIONS),
    "TransposeMatMul": Contract(2, 2, _matmul, _TRANSPOSITIONS),
    "ConvTransposeWithDynamicPads": Contract(2, 4, _conv_transpose, TRANSPOSED_ATTRIBUTES),
}
