"""LSTM with constant weights by register tiles, with or without peepholes: see ``recurrent_packed``."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.recurrent.recurrent import directions, recurrence
from edgeopt.kernels.recurrent.recurrent_packed import Finish, activations, cell_of
from edgeopt.kernels.recurrent.recurrent_walk import recurrent_calls, step_of


def _finish(functions: Sequence[Activation], peeping: bool, units: int) -> Finish:
    """The gates; with peepholes, ``bias`` points to the weights by which input, output and forget gate see the cells."""
    f, g, h = functions

    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        i, o, forget, candidate = (e.add(a, b) for a, b in zip(given, products, strict=True))
        before = e.load(state)
        if peeping:
            i, forget = e.fma(e.load(bias), before, i), e.fma(e.load(bias, 2 * units), before, forget)
        cells = e.fma(f.apply(e, i), g.apply(e, candidate), e.mul(f.apply(e, forget), before))
        e.store(cells, state)
        o = e.fma(e.load(bias, units), cells, o) if peeping else o
        return e.mul(f.apply(e, o), h.apply(e, cells))

    return finish


def _select(site: Site) -> tuple[KernelCall, ...]:
    if site.node.integer("input_forget", 0):
        raise Declined("its gates are coupled")
    sizes, peeping = recurrence(site), site.optional(7) is not None
    cell, ways = cell_of(site, sizes, 4), directions(site, ("Sigmoid", "Tanh", "Tanh"))
    steps = [step_of(site, d, cell, _finish(activations(d), peeping, cell.units)) for d in ways]
    return tuple(call for d, step in zip(ways, steps, strict=True) for call in recurrent_calls(site, sizes, d, cell, step))


KERNEL = Kernel("lstm_packed", ("LSTM", "HybridLSTM", "QuantLSTM"), _select)
