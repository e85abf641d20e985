"""Nodes, most of our own operators, that node tests and small networks do not bring forth, with operands that suit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, TensorType, Value
from edgeopt.ops import infer_types
from edgeopt.ops.table import OWN_OPS

RNG = np.random.default_rng(3)
S, Z, WZ = np.array(0.0973, np.float32), np.array(3, np.uint8), np.zeros(6, np.int8)
WS = RNG.uniform(0.5, 1, 6).astype(np.float32)  # sums on no half
Operand = Array | None


def _codes(*shape: int) -> Array:
    return RNG.integers(0, 7, shape).astype(np.uint8)  # small, so that tables of bytes hold all products


def _signed(*shape: int) -> Array:
    return RNG.integers(-5, 6, shape).astype(np.int8)


def _real(*shape: int) -> Array:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


X, MAP = _codes(1, 4, 8, 8), _codes(1, 32, 7, 6)
BIAS, ENDS = np.arange(6, dtype=np.int32), (np.array(0.1013, np.float32), Z)  # no result lies between two codes
BLOCKS, STARTS = np.array([0, 3, 8, 1], np.int32), np.array([0, 3, 4], np.int32)
FEW = (np.array([0, 2, 1, 2], np.int32), np.array([0, 2, 4], np.int32))
STORED = {"weight_shape": [6, 4, 3, 3], "block": [4, 4]}
FLAT = {"weight_shape": [12, 6], "block": [4, 4]}


def _books(words: int, outputs: int, *taps: int) -> tuple[Array, Array, Array, Array]:
    """Codes, codebooks, scale and bias for so many words of four channels."""
    codes = RNG.integers(0, 16, (1, outputs, words, *taps)).astype(np.uint8)
    return codes, _signed(1, words, 16, 4), np.full(outputs, 0.02, np.float32), _real(outputs)


def _recurrent(gates: int, hidden: int = 16) -> tuple[Operand, ...]:
    """Operands of a recurrent layer whose weights are codes, with a scale for each row."""
    rows = gates * hidden
    scale = np.full((1, rows, 1), 0.03, np.float32)
    weights = _signed(1, rows, 4), _signed(1, rows, hidden), _real(1, 2 * rows)
    return _real(5, 3, 4), *weights, None, None, None, None, scale, scale


def _integer_recurrent(gates: int) -> tuple[Operand, ...]:
    """The same with codes for the input, whose bias lies on the grid of the products, and the grids of input and units."""
    _, w, r, _, *others, scale, unit_scale = _recurrent(gates)
    assert scale is not None
    steps = RNG.integers(-300, 300, (1, scale.size)) * (S * scale[..., 0])
    bias = np.concatenate([steps, _real(1, scale.size)], axis=1).astype(np.float32)
    return _codes(5, 3, 4), w, r, bias, *others, scale, unit_scale, S, Z, *ENDS


NODES: Sequence[tuple[str, Sequence[Operand], dict[str, Any]]] = (
    ("FusedAttention", (_real(2, 5, 4), _real(2, 7, 4), _real(2, 7, 3), _real(5, 7)), {"scale": 0.5}),
    ("FusedAttention", (_real(1, 3, 40, 16), _real(1, 3, 40, 16), _real(1, 3, 40, 16)), {"y_order": [0, 2, 1, 3]}),
    ("LookupConv", (MAP, S, Z, *_books(8, 32, 3, 3), *ENDS), {"pads": [1, 1, 1, 1], "shift": 0}),
    ("LookupConv", (MAP, S, Z, *_books(8, 16, 1, 1), *ENDS, _codes(1, 16, 7, 6), *ENDS), {"shift": 0}),
    ("LookupConv", (MAP, S, Z, *_books(8, 17, 1, 3)), {"strides": [2, 1], "shift": 0}),
    ("LookupGemm", (_codes(3, 64), S, Z, *_books(16, 40), *ENDS), {"shift": 0}),
    ("LookupGemm", (_codes(1, 30), S, Z, *_books(8, 16), *ENDS, _codes(1, 16), *ENDS), {"shift": 0}),
    ("QuantAdd", (_codes(2, 3), S, Z, _codes(3), S, Z, *ENDS), {}),
    ("QuantMul", (X, S, Z, _codes(4, 1, 1), S, Z, *ENDS), {}),
    ("QuantMatMul", (_codes(2, 5, 16), S, Z, _codes(2, 16, 20), S, Z, *ENDS), {}),
    ("QuantScaleShift", (X, S, Z, _real(4, 1, 1), _real(4, 1, 1), *ENDS), {}),
    ("QuantAveragePool", (X, S, Z, *ENDS), {"kernel_shape": [2, 2]}),
    ("QuantSoftmax", (X, S, Z, *ENDS), {"axis": 1}),
    ("QuantConcat", (*ENDS, _codes(1, 4), S, Z, _codes(1, 2), S, Z), {"axis": 1}),
    ("QuantLookup", (X, RNG.permutation(256).astype(np.uint8)), {}),
    ("QuantConvTranspose", (X, S, Z, _signed(4, 6, 3, 3), WS, WZ, BIAS, *ENDS), {"strides": [2, 2]}),
    ("Silu", (_real(2, 37),), {}),
    ("GlobalLpPool", (_real(1, 3, 4, 5),), {"p": 2}),
    ("SparseConv", (_real(1, 4, 8, 8), _real(4, 4, 4), _real(6), None, BLOCKS, STARTS), STORED),
    ("SparseGemm", (_real(2, 12), _real(4, 4, 4), _real(6), None, *FEW), FLAT),
    ("SparseQuantConv", (X, S, Z, _signed(4, 4, 4), WS, None, BIAS, *ENDS, None, None, None, BLOCKS, STARTS), STORED),
    ("SparseQuantGemm", (_codes(2, 12), S, Z, _signed(4, 4, 4), WS, None, BIAS, *ENDS, None, None, None, *FEW), FLAT),
    ("HybridLSTM", _recurrent(4), {"hidden_size": 16}),
    ("HybridGRU", _recurrent(3), {"hidden_size": 16}),
    ("HybridRNN", _recurrent(1), {"hidden_size": 16}),
    ("QuantLSTM", _integer_recurrent(4), {"hidden_size": 16}),
    ("QuantGRU", _integer_recurrent(3), {"hidden_size": 16}),
    ("QuantRNN", _integer_recurrent(1), {"hidden_size": 16}),
    ("GatedConv", (_real(1, 4, 8, 8), _real(6, 4, 1, 1), None, _real(1, 6, 8, 8), _real(1, 4, 1, 1)), {}),
    ("PReluConv", (_real(1, 4, 8, 8), _real(6, 4, 3, 3), None, _real(1, 6, 6, 6), _real(6, 1, 1)), {}),
    ("PReluConv", (_real(2, 20, 7, 5), _real(20, 1, 3, 3), _real(20), None, _real(20, 1, 1)), {"group": 20, "pads": [1] * 4}),
)


def own_nodes() -> Iterator[tuple[Node, dict[str, Array]]]:
    """Every node in a graph of its own, and the arrays of its inputs."""
    for op, operands, attributes in NODES:
        graph = Graph("own", opsets={"": 21, OWN_DOMAIN: 1})
        given = {f"x{i}": array for i, array in enumerate(operands) if array is not None}
        values = {name: Value(name, TensorType(array.dtype.name, array.shape)) for name, array in given.items()}
        graph.inputs = list(values.values())
        inputs = [values.get(f"x{i}") for i in range(len(operands))]
        node = graph.make(op, inputs, [None], domain=OWN_DOMAIN if op in OWN_OPS else "", name=op, attributes=attributes)
        graph.outputs = [node.output]
        infer_types(graph)
        yield node, given
