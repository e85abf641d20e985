"""GRU and RNN with constant weights by register tiles: see ``recurrent_packed``.

Where the reset gate of a GRU comes before the product, a step has two parts: the gates of all units, then their candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.kernels.call import Kernel, KernelCall, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.emit.intrinsics import inline, offset
from edgeopt.kernels.recurrent.recurrent import Cell, Direction, directions, recurrence
from edgeopt.kernels.recurrent.recurrent_packed import Finish, activations, cell_of
from edgeopt.kernels.recurrent.recurrent_store import both, store_of
from edgeopt.kernels.recurrent.recurrent_walk import Step, advance_of, recurrent_calls, step_of
from edgeopt.kernels.recurrent.recurrent_weights import matrix_of, number_panels


def _gated(functions: Sequence[Activation]) -> Finish:
    f, g = functions

    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        z, r = (f.apply(e, e.add(given[q], products[q])) for q in (0, 1))
        candidate = g.apply(e, e.fma(r, e.add(products[2], e.load(bias)), given[2]))
        return e.fma(z, e.sub(e.load(state), candidate), candidate)

    return finish


def _simple(functions: Sequence[Activation]) -> Finish:
    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        return functions[0].apply(e, e.add(given[0], products[0]))

    return finish


def _gates(functions: Sequence[Activation]) -> Finish:
    """The update gate goes to the state, the reset gate is the result."""

    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        update, reset = (functions[0].apply(e, e.add(a, b)) for a, b in zip(given, products, strict=True))
        e.store(update, state)
        return reset

    return finish


def _candidate(functions: Sequence[Activation]) -> Finish:
    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        return functions[1].apply(e, e.add(given[0], products[0]))

    return finish


def _reset_before(site: Site, direction: Direction, cell: Cell) -> Step:
    """The step in two parts; scratch holds the update gates, then the old units that the reset gates let through."""
    functions, weights = activations(direction), matrix_of(site, 1, direction)
    first, second = replace(cell, gates=2), replace(cell, gates=1, skipped=2)
    parts = ((first, weights.part(0, 2 * cell.hidden)), (second, weights.part(2 * cell.hidden, 3 * cell.hidden)))
    one, two = (store_of(site.target, recurrence(site).steps, c, w) for c, w in parts)
    gates = advance_of(site.target, first, _gates(functions), one.kind)
    candidates = advance_of(site.target, second, _candidate(functions), two.kind)
    size, other = cell.rows * cell.units, one.extent

    @inline
    def advance(p: Any, w: Any, b: Any, old: Any, state: Any, new: Any, scratch: Any) -> None:
        through = offset(state, size)
        gates(p, w, b, old, state, through, scratch)
        for k in range(size):
            through[k] *= old[k]
        candidates(p, offset(w, other), b, through, state, new, scratch)
        for k in range(size):
            new[k] += state[k] * (old[k] - new[k])

    panels = np.concatenate([store.panels.reshape(-1) for store in (one, two)])

    def arrange(array: Array) -> Array:
        halves, lanes = ((first, array[: 2 * cell.hidden]), (second, array[2 * cell.hidden :])), site.target.lanes
        return np.concatenate([number_panels(half, c, lanes).reshape(-1) for c, half in halves])

    return Step(advance, panels, both(one, two), one.size + two.size, scratch=True, arrange=arrange)


def _select_gru(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    cell, ways = cell_of(site, sizes, 3), directions(site, ("Sigmoid", "Tanh"))
    if site.node.integer("linear_before_reset", 0):
        steps = [step_of(site, d, cell, _gated(activations(d)), separate=True) for d in ways]
    else:
        steps = [_reset_before(site, d, cell) for d in ways]
    return tuple(call for d, step in zip(ways, steps, strict=True) for call in recurrent_calls(site, sizes, d, cell, step))


def _select_rnn(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    cell, ways = cell_of(site, sizes, 1), directions(site, ("Tanh",))
    steps = [step_of(site, d, cell, _simple(activations(d))) for d in ways]
    return tuple(call for d, step in zip(ways, steps, strict=True) for call in recurrent_calls(site, sizes, d, cell, step))


KERNELS = (
    Kernel("gru_packed", ("GRU", "HybridGRU", "QuantGRU"), _select_gru),
    Kernel("rnn_packed", ("RNN", "HybridRNN", "QuantRNN"), _select_rnn),
)
