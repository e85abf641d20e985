"""LSTM, GRU and RNN, float, hybrid or quantised: every operand follows from directions, hidden size, batch and width."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands, Shape
from edgeopt.ops.contracts.quantization import divisor, factor
from edgeopt.ops.quantized_recurrent import LENGTHS, PEEPHOLES, QUANTIZED, STATE_GRID, X_GRID
from edgeopt.ops.recurrent import CODES, GATES, HYBRID, SCALES, WEIGHTS

_FUNCTIONS = {"LSTM": 3, "GRU": 2, "RNN": 1}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def _recurrent(operands: Operands) -> None:
    node = operands.node
    for index in range(3):
        operands.rank(index, 3, 3)
    direction = node.text("direction", "forward")
    operands.need(direction in _DIRECTIONS, f"direction '{direction}' is not known")
    count, x, major = _DIRECTIONS[direction], operands.shape(0), bool(node.integer("layout", 0))
    hidden = node.integer("hidden_size", operands.shape(2)[2])
    operands.need(hidden > 0, f"the hidden size is {hidden}")
    rows, (batch, steps) = GATES[_cell(operands)] * hidden, (x[0], x[1]) if major else (x[1], x[0])
    operands.fits(1, (count, rows, x[2]))
    operands.fits(2, (count, rows, hidden))
    operands.fits(3, (count, 2 * rows))
    _types(operands, count, rows)
    _lengths(operands, batch, steps)
    _states(operands, batch, count, hidden)
    _activations(operands, count)
    operands.yields((batch, steps, count, hidden) if major else (steps, count, batch, hidden))


def _cell(operands: Operands) -> str:
    return operands.node.op.removeprefix("Hybrid").removeprefix("Quant")


def _types(operands: Operands, count: int, rows: int) -> None:
    if operands.node.op in GATES:
        operands.same_type(0, 1, 2, 3, 5, 6, 7)
        return
    quantized = operands.node.op in QUANTIZED.values()
    for index in (*(() if quantized else (0,)), 3, 5, 6, 7, *SCALES):
        operands.typed(index, "float32")
    for weight, scale in zip(WEIGHTS, SCALES, strict=True):
        operands.typed(weight, *(("int8",) if quantized else CODES))
        operands.fits(scale, (1, 1, 1), (1, rows, 1), (count, 1, 1), (count, rows, 1))
    if quantized:
        _grids(operands)


def _grids(operands: Operands) -> None:
    """Of the input, which is codes, and of the units."""
    operands.typed(0, "uint8", "int8")
    operands.same_type(0, X_GRID[1])
    operands.typed(STATE_GRID[1], "uint8", "int8")
    operands.single(*X_GRID, *STATE_GRID)
    factor(operands, X_GRID[0])
    divisor(operands, STATE_GRID[0])
    for index in (LENGTHS, PEEPHOLES):
        operands.need(not operands.given(index), f"{operands.label(index)} is given, which integer products do not have")


def _lengths(operands: Operands, batch: int, steps: int) -> None:
    operands.vector(4, batch)
    operands.typed(4, "int32")
    for length in operands.numbers(4) or []:
        operands.need(0 <= length <= steps, f"{operands.label(4)} holds the length {length}, there are {steps} steps")


def _states(operands: Operands, batch: int, count: int, hidden: int) -> None:
    state: Shape = (batch, count, hidden) if operands.node.integer("layout", 0) else (count, batch, hidden)
    operands.fits(5, state)
    operands.yields(state, 1)
    if _cell(operands) == "LSTM":
        operands.fits(6, state)
        operands.fits(7, (count, 3 * hidden))
        operands.yields(state, 2)


def _activations(operands: Operands, count: int) -> None:
    names = operands.node.attributes.get("activations")
    wanted = _FUNCTIONS[_cell(operands)] * count
    if isinstance(names, (list, tuple)) and names:
        operands.need(len(names) == wanted, f"there are {len(names)} activations, {wanted} are needed")


RULES = dict.fromkeys((*GATES, *HYBRID.values(), *QUANTIZED.values()), _recurrent)
