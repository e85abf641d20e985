"""LSTM, GRU and RNN whose products are of integers: codes of the input, and of the hidden units, which every step rounds anew.

Inputs are those of the hybrid operator (``ops.recurrent``), with codes of 8 bits in x as in both weights and neither lengths nor
peepholes, then at ``X_GRID`` and ``STATE_GRID`` scale and zero point of x and of the units. The cells of an LSTM, the gates and
all sums of products of different operands stay float; so do the units that the gates of a GRU let through.

Kernels add the bias of the input in steps of x_scale w_scale, as other integer products do; that of the units is not rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import helper

from edgeopt.ir import Node
from edgeopt.ir.match import shape_of
from edgeopt.ops.definition import Body, OwnOp
from edgeopt.ops.recurrent import GATES, SCALES, WEIGHTS, tile_misfit
from edgeopt.ops.work import recurrent

LENGTHS, UNITS, CELLS, PEEPHOLES = 4, 5, 6, 7
X_GRID, STATE_GRID = (10, 11), (12, 13)
QUANTIZED = {op: f"Quant{op}" for op in GATES}
FUNCTIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


def integer_misfit(node: Node) -> str:
    """Why the products of a float recurrent node cannot be those of integers; '' when they can."""
    if reason := tile_misfit(node):
        return reason
    if node.input(PEEPHOLES) is not None:
        return "its gates see its cells"
    names = node.attributes.get("activations") or ()
    assert isinstance(names, (list, tuple))
    usual = [n.lower() for n in FUNCTIONS[node.op]]
    if any((n.decode() if isinstance(n, bytes) else str(n)).lower() != usual[i % len(usual)] for i, n in enumerate(names)):
        return "its activations are not the usual ones"
    return "" if _whole(node) else "its sequences may end early"


def _whole(node: Node) -> bool:
    lengths, shape = node.constant(LENGTHS), shape_of(node.input(0))
    if lengths is None or shape is None:
        return node.input(LENGTHS) is None
    return bool((lengths >= shape[1 if node.integer("layout", 0) else 0]).all())


class _Cell:
    """The nodes of one direction: ``d`` of its operands, whose products with the input of all steps come first."""

    def __init__(self, op: str, node: Node, body: Body, d: int) -> None:
        self.op, self.node, self.body, self.d = op, node, body, d
        self.hidden = node.integer("hidden_size", (shape_of(node.input(2)) or (0,))[-1])
        self.major, self.gates = bool(node.integer("layout", 0)), GATES[op]

    def own(self, value: str, axis: int = 0) -> str:
        """The part of this direction."""
        return self.body.op("Gather", [value, self.body.constant(self.d, "int64")], axis=axis)

    def split(self, body: Body, value: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Parts of ``value``."""
        first = body.op("Split", [value, body.constant(list(sizes), "int64")], "", len(sizes), axis=axis)
        return [first, *(f"{first}_{i}" for i in range(1, len(sizes)))]

    def each(self, body: Body, value: str) -> list[str]:
        """The parts of all gates, or the whole of one."""
        return self.split(body, value, [self.hidden] * self.gates, 1) if self.gates > 1 else [value]

    def scan(self, x: str) -> list[str]:
        """The units and cells after the last step, then the units of all [steps, batch, hidden]."""
        body, rows = self.body, self.gates * self.hidden
        w, self.r = (body.op("Transpose", [self.own(self._weight(i))], perm=[1, 0]) for i in WEIGHTS)
        own = [self.own("x3")] if self.node.input(3) is not None else [body.constant(np.zeros(2 * rows))]
        first, self.bias = self.split(body, own[0], [rows, rows], 0)
        product = body.op("Add", [body.op("MatMul", [x, w]), first])
        states = [self._state(i, x) for i in ((UNITS, CELLS) if self.op == "LSTM" else (UNITS,))]
        made = [f"d{self.d}_{i}" for i in range(len(states) + 1)]
        backward = [int(self.d == 1 or self.node.text("direction", "forward") == "reverse")]
        how = {"scan_input_directions": backward, "scan_output_directions": backward}
        body.call("Scan", [*states, product], made, "", body=self._step(len(states)), num_scan_inputs=1, **how)
        return made

    def _weight(self, index: int) -> str:
        scale = SCALES[WEIGHTS.index(index)]
        return self.body.op("Mul", [self.body.op("Cast", [f"x{index}"], to=1), f"x{scale}"])

    def _state(self, index: int, x: str) -> str:
        body = self.body
        if self.node.input(index) is not None:
            return self.own(f"x{index}", 1 if self.major else 0)
        known = shape_of(self.node.input(0))
        if known is not None:
            return body.op("ConstantOfShape", [body.constant([known[0 if self.major else 1], self.hidden], "int64")])
        batch = body.op("Gather", [body.op("Shape", [x]), body.constant([1], "int64")], axis=0)
        return body.op("ConstantOfShape", [body.op("Concat", [batch, body.constant([self.hidden], "int64")], axis=0)])

    def _step(self, states: int) -> object:
        """The subgraph of a step: (units, cells, the input's part) -> (units, cells, units)."""
        names = [f"s{self.d}_in{i}" for i in range(states + 1)]
        body = Body(self.body.opset, prefix=f"s{self.d}_")
        made = _STEPS[self.op](self, body, *names)
        results = [body.op("Identity", [name], f"s{self.d}_out{i}") for i, name in enumerate([*made, made[0]])]
        ins, outs = ([helper.make_tensor_value_info(n, 1, [None, None]) for n in part] for part in (names, results))
        return helper.make_graph(body.nodes, f"step{self.d}", ins, outs)

    def rounded(self, body: Body, units: str) -> str:
        """The units on their grid."""
        grid = [f"x{i}" for i in STATE_GRID]
        return body.op("DequantizeLinear", [body.op("QuantizeLinear", [units, *grid]), *grid])

    def products(self, body: Body, units: str) -> str:
        """The recurrent products of all gates with their bias."""
        return body.op("Add", [body.op("MatMul", [self.rounded(body, units), self.r]), self.bias])


def _lstm(cell: _Cell, body: Body, units: str, cells: str, given: str) -> list[str]:
    i, o, forget, candidate = cell.each(body, body.op("Add", [given, cell.products(body, units)]))
    i, o, forget = (body.op("Sigmoid", [gate]) for gate in (i, o, forget))
    fresh = body.op("Mul", [i, body.op("Tanh", [candidate])])
    cells = body.op("Add", [fresh, body.op("Mul", [forget, cells])])
    return [body.op("Mul", [o, body.op("Tanh", [cells])]), cells]


def _gru(cell: _Cell, body: Body, units: str, given: str) -> list[str]:
    first, second = cell.each(body, given), cell.each(body, cell.products(body, units))
    z, r = (body.op("Sigmoid", [body.op("Add", [first[q], second[q]])]) for q in (0, 1))
    if cell.node.integer("linear_before_reset", 0):
        inner = body.op("Mul", [r, second[2]])
    else:
        inner = cell.each(body, cell.products(body, body.op("Mul", [r, units])))[2]
    candidate = body.op("Tanh", [body.op("Add", [first[2], inner])])
    return [body.op("Add", [candidate, body.op("Mul", [z, body.op("Sub", [units, candidate])])])]


def _rnn(cell: _Cell, body: Body, units: str, given: str) -> list[str]:
    return [body.op("Tanh", [body.op("Add", [given, cell.products(body, units)])])]


_STEPS: dict[str, Callable[..., list[str]]] = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def _own(op: str) -> OwnOp:
    def build(node: Node, body: Body) -> None:
        x, major = body.op("DequantizeLinear", ["x0", *(f"x{i}" for i in X_GRID)]), bool(node.integer("layout", 0))
        x = body.op("Transpose", [x], perm=[1, 0, 2]) if major else x
        count = 2 if node.text("direction", "forward") == "bidirectional" else 1
        made = [_Cell(op, node, body, d).scan(x) for d in range(count)]
        for index, of in enumerate([len(made[0]) - 1, *range(len(made[0]) - 1)]):
            if index < len(node.outputs) and node.outputs[index].name:
                axis = (1 if index == 0 else 0) if not major else (2 if index == 0 else 1)
                parts = [d[of] if not (major and index == 0) else body.op("Transpose", [d[of]], perm=[1, 0, 2]) for d in made]
                lifted = [body.op("Unsqueeze", [part, body.constant([axis], "int64")]) for part in parts]
                body.op("Concat", lifted, f"y{index}", axis=axis)

    return OwnOp(QUANTIZED[op], build, recurrent, samplewise=False, numeric="integer")


QUANTIZED_RECURRENT = tuple(_own(op) for op in GATES)
