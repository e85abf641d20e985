"""LSTM, GRU and RNN with weights kept in few bits: codes that scales make real, or half precision.

Inputs are those of the float operator (x, w, r, bias, lengths, states of units and cells, peepholes; the last two of LSTM only),
with codes in w [directions, gates * hidden, width] and r [directions, gates * hidden, hidden], then at ``SCALES`` the scales of w
and of r [1 or directions, 1 or gates * hidden, 1], which half precision leaves out. Codes are centred.
"""

from __future__ import annotations

import numpy as np

from edgeopt.ir import Array, Node
from edgeopt.ir.match import dtype_of
from edgeopt.ops.definition import Body, OwnOp
from edgeopt.ops.qdq import dequantized
from edgeopt.ops.work import recurrent

WEIGHTS, SCALES = (1, 2), (8, 9)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
HYBRID = {op: f"Hybrid{op}" for op in GATES}
CODES = ("int8", "int4", "float16")
VECTORISED = ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid")  # activations that tiles of gates have


def tile_misfit(node: Node) -> str:
    """Why no kernel computes a recurrent node by tiles of gates, which alone read codes; '' when one does."""
    if dtype_of(node.input(0)) != "float32":
        return "its input is not float32"
    if node.real("clip", 0.0) or node.integer("input_forget", 0):
        return "its gates are clipped or coupled"
    names = node.attributes.get("activations") or ()
    assert isinstance(names, (list, tuple))
    known = [name.lower() for name in VECTORISED]
    odd = [name for name in map(_text, names) if name.lower() not in known]
    if odd:
        return f"its activation {odd[0]} has no vector form"
    computed = [v for v in (node.input(3), node.input(7)) if v is not None and not v.is_constant]
    return "its bias or its peepholes are computed" if computed else ""


def _text(name: object) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def recurrent_weights(node: Node) -> tuple[Array, Array] | None:
    """The weights of the input and of the units of a float LSTM, GRU or RNN that can have codes, when both are constants."""
    if node.domain or node.op not in GATES or tile_misfit(node):
        return None
    w, r = node.constant(1), node.constant(2)
    return (w, r) if w is not None and r is not None and w.dtype == r.dtype == np.float32 else None


def weight_source(node: Node, index: int) -> Node | str:
    """The DequantizeLinear or Cast that makes weight ``index`` of constants the hybrid operator can keep; else why not."""
    if reason := tile_misfit(node):
        return reason
    value = node.input(index)
    source = value.producer if value is not None else None
    if source is None or any(v is not None and not v.is_constant for v in source.inputs):
        return "its weights are not made of constants"
    if source.is_op("Cast"):
        half = source.input(0)
        kept = half is not None and half.type is not None and half.type.dtype == "float16"
        return source if kept else "its weights are cast from another type than float16"
    scale = source.constant(1)
    if dequantized(value) is None or scale is None or scale.dtype != np.float32:
        return "its weights are not quantised in whole rows, with scales in float32"
    if scale.size > 1 and (scale.ndim != 1 or source.integer("axis", 1) % 3 != 1):
        return "the scales of its weights do not lie along the gates"
    return source


def keeps_codes(node: Node) -> bool:
    """True when both weights of a recurrent node stay in few bits."""
    return bool(GATES.get(node.op) and not node.domain) and not any(isinstance(weight_source(node, i), str) for i in WEIGHTS)


def _real(node: Node, body: Body, weight: int, scale: int) -> str:
    numbers = body.op("Cast", [f"x{weight}"], to=1)
    return numbers if node.input(scale) is None else body.op("Mul", [numbers, f"x{scale}"])


def _own(op: str) -> OwnOp:
    def build(node: Node, body: Body) -> None:
        weights = [_real(node, body, w, s) for w, s in zip(WEIGHTS, SCALES, strict=True)]
        others = [f"x{i}" if node.input(i) is not None else "" for i in range(3, 8)]
        inputs = ["x0", *weights, *others]
        while not inputs[-1]:
            inputs.pop()
        body.call(op, inputs, [f"y{i}" if v.name else "" for i, v in enumerate(node.outputs)], "", **node.attributes)

    return OwnOp(HYBRID[op], build, recurrent, samplewise=False)


HYBRID_RECURRENT = tuple(_own(op) for op in GATES)
