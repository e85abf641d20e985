"""An LSTM with quantised weights that lie with the gates last. What onnxruntime rounds to 8 bits at run time stays float here."""

from __future__ import annotations

import numpy as np

from edgeopt.frontend.vendor.contract import Contract
from edgeopt.ir import OWN_DOMAIN, Node
from edgeopt.ops.definition import Body
from edgeopt.ops.recurrent import tile_misfit

ATTRIBUTES = ("direction", "hidden_size", "activations", "activation_alpha", "activation_beta", "clip", "input_forget")
WEIGHTS, GRIDS = (1, 2), ((8, 9), (10, 11))  # codes; their scale and zero point, of a direction or of each of its rows


def _quantized(node: Node, body: Body) -> None:
    """x, W [directions, width, 4 * hidden], R, bias, lengths, states, peepholes, then the grids of W and of R."""
    pairs = [_centred(body, w, grid) for w, grid in zip(WEIGHTS, GRIDS, strict=True)]
    others = [f"x{i}" if node.input(i) is not None else "" for i in range(3, 8)]
    outputs = [f"y{i}" if v.name else "" for i, v in enumerate(node.outputs)]
    kept = {name: node.attributes[name] for name in ATTRIBUTES if name in node.attributes}
    if not tile_misfit(node) and all(_fits(node, w, grid) for w, grid in zip(WEIGHTS, GRIDS, strict=True)):
        codes = [body.op("Transpose", [f"x{w}"], perm=[0, 2, 1]) for w in WEIGHTS]
        body.call("HybridLSTM", ["x0", *codes, *others, *(scale for _, scale in pairs)], outputs, OWN_DOMAIN, **kept)
        return
    inputs = ["x0", *(body.op("Mul", [body.op("Cast", [codes], to=1), scale]) for codes, scale in pairs), *others]
    while not inputs[-1]:
        inputs.pop()
    body.call("LSTM", inputs, outputs, "", **kept)


def _fits(node: Node, weight: int, grid: tuple[int, int]) -> bool:
    """Whether the codes are stored, and centred int8 already."""
    codes, (scale, point) = node.constant(weight), (node.constant(i) for i in grid)
    return codes is not None and codes.dtype == np.int8 and scale is not None and point is not None and not point.any()


def _centred(body: Body, weight: int, grid: tuple[int, int]) -> tuple[str, str]:
    """The codes less their zero point [directions, 4 * hidden, depth] in int32, and their scale."""
    shape = body.constant([0, -1, 1], "int64")
    scale, zero = (body.op("Reshape", [f"x{i}", shape]) for i in grid)
    codes, point = body.op("Transpose", [f"x{weight}"], perm=[0, 2, 1]), body.op("Cast", [zero], to=6)
    return body.op("Sub", [body.op("Cast", [codes], to=6), point]), scale


CONTRACTS = {"DynamicQuantizeLSTM": Contract(12, 12, _quantized, ATTRIBUTES, 3, (3, 4, 5, 6, 7))}
