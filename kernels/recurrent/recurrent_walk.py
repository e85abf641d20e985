"""The loop over time of a recurrent network whose steps are register tiles.

A chunk is the sequences of one tile; the last tile is moved up to end with the batch. Hidden units lie twice in scratch, old
and new in turn, because every gate reads all old ones. A sequence that is shorter than the input keeps its state in the steps
beyond its end, and its result there is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Input, KernelCall, Operand, Origin, Packed, Site, Temporary
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.recurrent.recurrent import Cell, Direction, Recurrence, optional_input, optional_output, recurrence
from edgeopt.kernels.recurrent.recurrent_codes import HEADER, rounding
from edgeopt.kernels.recurrent.recurrent_input import input_product
from edgeopt.kernels.recurrent.recurrent_packed import Finish, cell_function
from edgeopt.kernels.recurrent.recurrent_store import Widen, store_of
from edgeopt.kernels.recurrent.recurrent_weights import DOTS, matrix_of, number_panels, panel_size
from edgeopt.target import Target


@dataclass(frozen=True, eq=False)
class Step:
    """One step of all units: a function (input's part, weights, bias, old units, state, new units, scratch) and its weights.

    ``widen`` makes ``numbers`` numbers of the weights in scratch memory before the first step, if it is given. ``scratch``: its
    state is scratch memory, and not cells or old units. ``separate``: the candidate's recurrent bias is added by it, and not with
    the input's. ``arrange`` moves weights that are numbers to where ``weights`` has them.
    """

    advance: Callable[..., None]
    weights: Array
    widen: Widen | None = None
    numbers: int = 0
    scratch: bool = False
    separate: bool = False
    arrange: Callable[[Array], Array] | None = None


def recurrent_calls(site: Site, sizes: Recurrence, direction: Direction, cell: Cell, step: Step) -> tuple[KernelCall, ...]:
    """The input's product and the loop over time of one direction. Raises Declined when weights or bias are no constants."""
    w, rows = matrix_of(site, 0, direction), cell.gates * cell.hidden
    bias = site.constant(3)[direction.place] if site.optional(3) is not None else np.zeros(2 * rows, np.float32)
    kept = bias[rows:] if w.grid is None else np.zeros(rows, np.float32)  # integer products of the units add it themselves
    apart = separate(cell, kept) if step.separate else np.zeros(rows, np.float32)
    products, given = input_product(site, sizes, cell, w, bias[:rows] + kept - apart)
    states, celled, cut = sizes.directions * sizes.batch * sizes.hidden, site.node.op.endswith("LSTM"), _shortened(site, sizes)
    peeping = celled and site.optional(7) is not None
    seen = site.constant(7)[direction.place].reshape(3, -1) if peeping else apart[None, -cell.hidden :]
    operands: tuple[Operand, ...] = (
        *(given, _stored(site, direction, step), Packed(_units(cell, seen)), optional_input(site, 5, states)),
        optional_input(site, 6, states) if celled else Packed(np.zeros(1, np.float32)),
        *(optional_output(site, 0, states * sizes.steps), optional_output(site, 1, states)),
        optional_output(site, 2, states) if celled else Temporary("output2", 1),
        Temporary("hidden", 2 * cell.rows * cell.units, True),
        Temporary("cells", 2 * cell.rows * cell.units, True),
        Input(4) if cut else Packed(np.zeros(1, np.int32)),
        Temporary("numbers", max(1, step.numbers), True),
    )
    function = _function(cell, sizes, direction, step, (celled, cut))
    return *products, KernelCall(function, operands, (), -(-sizes.batch // cell.rows))


def _stored(site: Site, direction: Direction, step: Step) -> Packed:
    """The weights of the units; codes come with their scales, and are made of more than the constant."""
    units = matrix_of(site, 1, direction)
    return Packed(step.weights, None if units.kind or step.arrange is None else Origin(units.array, step.arrange))


def separate(cell: Cell, bias: Array) -> Array:
    """What of a recurrent bias stays apart from the input's: the candidate's of a GRU, which its reset gate multiplies."""
    kept = np.zeros(cell.gates * cell.hidden, np.float32)
    kept[2 * cell.hidden :] = bias[2 * cell.hidden :]
    return kept


def _units(cell: Cell, rows: Array) -> Array:
    """Rows of one number for each hidden unit, padded to whole vectors."""
    padded = np.zeros((len(rows), cell.units), np.float32)
    padded[:, : cell.hidden] = rows
    return padded


def _shortened(site: Site, sizes: Recurrence) -> bool:
    """Whether a sequence may be shorter than the input."""
    lengths = site.optional(4)
    return lengths is not None and (lengths.array is None or bool((lengths.array < sizes.steps).any()))


def _function(cell: Cell, sizes: Recurrence, direction: Direction, step: Step, form: tuple[bool, bool]) -> Callable[..., None]:
    """``form``: whether there are cells, and whether sequences may end early."""
    celled, cut = form
    advance, stated = step.advance, celled or step.scratch
    n, units, rows, steps, batch, backward = cell.hidden, cell.units, cell.rows, sizes.steps, sizes.batch, direction.backward
    row = cell.gates * units
    pt, pb = (row, steps * row) if sizes.batch_major else (batch * row, row)
    y0, ys, yt, s0, ss = sizes.constants(direction, cell.gates)[6:11]
    ready, read = _reading(step.widen)
    (fill, copy), (keep, hold) = _copies(rows, n, units), _ends(rows, n, units, celled)

    def recur(
        p: Any, w: Any, b: Any, h0: Any, c0: Any, y: Any, yh: Any, yc: Any, hidden: Any, cells: Any, lengths: Any,
        numbers: Any, begin: Any, end: Any,
    ) -> None:  # fmt: skip
        ready(w, numbers)
        for chunk in range(begin, end):
            first = min(chunk * rows, batch - rows)
            own = s0 + first * ss
            fill(offset(h0, own), ss, hidden)
            if celled:
                fill(offset(c0, own), ss, cells)
            for turn in range(steps):
                t = steps - 1 - turn if backward else turn
                old, new = offset(hidden, turn % 2 * rows * units), offset(hidden, (1 - turn % 2) * rows * units)
                if cut:
                    keep(cells)
                advance(offset(p, t * pt + first * pb), read(w, numbers), b, old, cells if stated else old, new, numbers)
                copy(new, offset(y, y0 + first * ys + t * yt), ys)
                if cut:
                    hold(t, offset(lengths, first), old, new, cells, offset(y, y0 + first * ys + t * yt), ys)
            copy(offset(hidden, steps % 2 * rows * units), offset(yh, own), ss)
            if celled:
                copy(cells, offset(yc, own), ss)

    return recur


def _reading(widen: Widen | None) -> tuple[Callable[..., None], Callable[..., Any]]:
    """What is done before the first step, and which memory the steps read: that of the codes, or of their numbers."""
    if widen is None:
        return inline(lambda w, numbers: None), inline(lambda w, numbers: w)
    return widen, inline(lambda w, numbers: numbers)


def step_of(site: Site, direction: Direction, cell: Cell, finish: Finish, separate: bool = False) -> Step:
    """The step of a cell whose units are finished one tile after the other."""
    store = store_of(site.target, recurrence(site).steps, cell, matrix_of(site, 1, direction))
    advance = advance_of(site.target, cell, finish, store.kind)
    arrange = partial(number_panels, cell=cell, lanes=site.target.lanes)
    return Step(advance, store.panels, store.widen, store.size, separate=separate, arrange=arrange)


def advance_of(target: Target, cell: Cell, finish: Finish, kind: str) -> Callable[..., None]:
    """One step of all hidden units: (input's part, weights, bias, old units, state, new units, scratch)."""
    blocks, unit = cell.units // target.lanes, cell.vectors * target.lanes
    groups = -(-blocks // cell.vectors)
    inner = cell_function(target, cell, cell.vectors, finish, kind)
    final = cell_function(target, cell, blocks - (groups - 1) * cell.vectors, finish, kind)
    width = unit * cell.spread
    panel, first, seen = panel_size(cell, kind, target.lanes), HEADER if kind == DOTS else 0, _seen(target, cell, kind)

    @inline
    def advance(p: Any, w: Any, b: Any, old: Any, state: Any, new: Any, scratch: Any) -> None:
        h, panels = seen(old, w, scratch), offset(w, first)
        for g in range(groups - 1):
            at = g * unit
            inner(offset(p, g * width), offset(panels, g * panel), offset(b, at), h, offset(state, at), offset(new, at))
        g, at = groups - 1, (groups - 1) * unit
        final(offset(p, g * width), offset(panels, g * panel), offset(b, at), h, offset(state, at), offset(new, at))

    return advance


def _seen(target: Target, cell: Cell, kind: str) -> Callable[..., Any]:
    """What the tiles see of the old units: themselves, or their codes, which are made in scratch memory."""
    if kind != DOTS:
        return inline(lambda old, w, scratch: old)
    to_codes = rounding(target, cell)

    @inline
    def seen(old: Any, w: Any, scratch: Any) -> Any:
        to_codes(old, w, scratch)
        return scratch

    return seen


def _copies(rows: int, n: int, units: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Copies of the states of a tile: from memory into scratch, whose padding becomes zero, and back."""

    @inline
    def fill(source: Any, stride: Any, states: Any) -> None:
        for i in range(rows):
            for k in range(units):
                states[i * units + k] = source[i * stride + k] if k < n else np.float32(0)

    @inline
    def copy(states: Any, result: Any, stride: Any) -> None:
        for i in range(rows):
            for k in range(n):
                result[i * stride + k] = states[i * units + k]

    return fill, copy


def _ends(rows: int, n: int, units: int, celled: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    """What a step does for sequences that may have ended: cells are kept before it, and after it the old state is put back."""

    @inline
    def keep(cells: Any) -> None:
        for k in range(rows * units if celled else 0):
            cells[rows * units + k] = cells[k]

    @inline
    def hold(t: Any, lengths: Any, old: Any, new: Any, cells: Any, result: Any, stride: Any) -> None:
        for i in range(rows):
            if t >= lengths[i]:
                for k in range(i * units, (i + 1) * units):
                    new[k] = old[k]
                    if celled:
                        cells[k] = cells[rows * units + k]
                for k in range(n):
                    result[i * stride + k] = np.float32(0)

    return keep, hold
