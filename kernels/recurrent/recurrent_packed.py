"""Recurrent networks by register tiles: what LSTM, GRU and RNN share when their weights are constants.

The input's part of every gate is one matrix product over all steps, before the loop over time. In that loop a tile takes some
sequences x some vectors of hidden units with all their gates: it starts from the input's part, adds the recurrent products in
registers, and applies the gates there. Weights of units that are codes are widened in registers, and their sums multiplied by
scales; those of a quantised operator are multiplied by codes of the units (``recurrent_codes``). ``recurrent_weights`` says how
both weights lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeopt.kernels.call import Declined, Site
from edgeopt.kernels.emit import epilogue
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.vector_function import vector_function
from edgeopt.kernels.integer.quant_operands import LIMITS
from edgeopt.kernels.packed.code_products import Sums, code_products
from edgeopt.kernels.packed.weight_codes import panel_bytes
from edgeopt.kernels.recurrent.recurrent import Activation, Cell, Direction, Recurrence
from edgeopt.kernels.recurrent.recurrent_codes import dot_products
from edgeopt.kernels.recurrent.recurrent_weights import DOTS
from edgeopt.kernels.walk.micro import STEPS, Loop, Tile, accumulate, nest
from edgeopt.target import Target

ACCUMULATORS = 8  # sums that a tile has at least, to hide the latency of a multiply-add
ROWS = 4  # sequences that share a weight vector at most


Finish = Callable[[Emitter, Sequence[Value], Sequence[Value], Value, Value], Value]
"""(emitter, the input's part and the recurrent products of each gate, pointers to a recurrent bias and to the units' state)
-> the new hidden units."""


def cell_of(site: Site, sizes: Recurrence, gates: int) -> Cell:
    """The tile for a node, by the target's registers. Raises Declined for what the packed form cannot express."""
    if site.given(0).type.dtype not in ("float32", *LIMITS):
        raise Declined(f"element type {site.given(0).type.dtype}")
    if site.node.real("clip", 0.0):
        raise Declined("its gates are clipped")
    lanes = site.target.lanes
    blocks = -(-sizes.hidden // lanes)
    rows = min(sizes.batch, ROWS if site.target.vector_registers >= 32 else 2)
    vectors = min(blocks, max(1, ACCUMULATORS // (rows * gates)))
    apart = gates * blocks * lanes * (sizes.steps if sizes.batch_major else 1)
    return Cell(gates, sizes.hidden, blocks * lanes, rows, vectors, apart, gates)


def activations(direction: Direction) -> list[epilogue.Activation]:
    """The activations of a direction as vector functions. Raises Declined for those that have none."""
    return [_vectorised(a) for a in direction.activations]


def _vectorised(function: Activation) -> epilogue.Activation:
    if function.name not in ("Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid"):
        raise Declined(f"activation '{function.name}'")
    return epilogue.Activation(function.name, function.alpha, function.beta)


def _emit(e: Emitter, cell: Cell, vectors: int, finish: Finish, kind: str, *pointers: Value) -> None:
    p, w, b, h, c, y = pointers
    count = vectors * cell.gates
    if kind == DOTS:
        sums = dot_products(e, cell, count, w, h)
    else:
        sums = _coded(e, cell, count, kind, w, h) if kind else _products(e, cell, count, w, h)
    for i in range(cell.rows):
        for v in range(vectors):
            first, place = v * cell.gates, i * cell.units + v * e.lanes
            there = i * cell.apart + (v * cell.spread + cell.skipped) * e.lanes
            given = [e.load(p, there + q * e.lanes) for q in range(cell.gates)]
            own = sums[i * count + first : i * count + first + cell.gates]
            e.store(finish(e, given, own, e.at(b, v * e.lanes), e.at(c, place)), y, place)


def _products(e: Emitter, cell: Cell, count: int, w: Value, h: Value) -> list[Value]:
    """The recurrent products of ``count`` vectors of gates, for each sequence."""
    full = cell.hidden // STEPS
    tile = Tile(tuple(i * cell.units for i in range(cell.rows)), (), tuple(range(count)), (), tuple(range(STEPS)))
    carried = [w, *[e.constant(0.0)] * (cell.rows * count)]
    if full:
        carried = nest(e, (Loop(full, STEPS),), h, carried, lambda x, values: accumulate(e, tile, tile.steps, x, values))
    return accumulate(e, tile, tuple(range(cell.hidden - full * STEPS)), e.at(h, full * STEPS), carried)[1:]


def _coded(e: Emitter, cell: Cell, count: int, kind: str, w: Value, h: Value) -> list[Value]:
    """The recurrent products with codes, whose scales lie behind them."""
    sums = code_products(e, Sums(kind, cell.rows, count, cell.hidden, cell.units), h, w)
    scales = e.at(w, panel_bytes(kind, cell.hidden, count * e.lanes))
    steps = [e.load(e.at(scales, 4 * v * e.lanes)) for v in range(count)]
    return [e.mul(total, steps[i % count]) for i, total in enumerate(sums)]


def cell_function(target: Target, cell: Cell, vectors: int, finish: Finish, kind: str = "") -> Any:
    """One step of ``vectors`` vectors of units as a function (input's part, weights, bias, hidden, state, new hidden).

    ``kind`` is how codes are stored, empty for numbers; for ``DOTS``, ``hidden`` points to the codes of the units.
    """

    def emit(e: Emitter, p: Value, w: Value, b: Value, h: Value, c: Value, y: Value) -> None:
        _emit(e, cell, vectors, finish, kind, p, w, b, h, c, y)

    return vector_function(target, 6, emit)
