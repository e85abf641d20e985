"""LSTM with constant weights, without peepholes, by register tiles: see ``recurrent_packed``."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.recurrent.recurrent import directions, recurrence
from edgeopt.kernels.recurrent.recurrent_packed import Finish, activations, cell_of
from edgeopt.kernels.recurrent.recurrent_walk import recurrent_calls


def _finish(functions: Sequence[Activation]) -> Finish:
    f, g, h = functions

    def finish(e: Emitter, given: Sequence[Value], products: Sequence[Value], bias: Value, state: Value) -> Value:
        i, o, forget, candidate = (e.add(a, b) for a, b in zip(given, products, strict=True))
        kept = e.mul(f.apply(e, forget), e.load(state))
        cells = e.fma(f.apply(e, i), g.apply(e, candidate), kept)
        e.store(cells, state)
        return e.mul(f.apply(e, o), h.apply(e, cells))

    return finish


def _select(site: Site) -> tuple[KernelCall, ...]:
    if site.optional(7) is not None or site.node.integer("input_forget", 0):
        raise Declined("its gates look at the cells or are coupled")
    sizes = recurrence(site)
    cell, ways = cell_of(site, sizes, 4), directions(site, ("Sigmoid", "Tanh", "Tanh"))
    return tuple(call for d in ways for call in recurrent_calls(site, sizes, d, cell, _finish(activations(d))))


KERNEL = Kernel("lstm_packed", ("LSTM",), _select)
