"""GRU (with ``linear_before_reset``) and RNN with constant weights by register tiles: see ``recurrent_packed``."""

from __future__ import annotations

from collections.abc import Sequence

from edgeopt.kernels.call import Declined, Kernel, KernelCall, Site
from edgeopt.kernels.emit.emitter import Emitter, Value
from edgeopt.kernels.emit.epilogue import Activation
from edgeopt.kernels.recurrent.recurrent import directions, recurrence
from edgeopt.kernels.recurrent.recurrent_packed import Finish, activations, cell_of
from edgeopt.kernels.recurrent.recurrent_walk import recurrent_calls


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


def _select_gru(site: Site) -> tuple[KernelCall, ...]:
    if not site.node.integer("linear_before_reset", 0):
        raise Declined("its reset gate comes before the product")
    sizes = recurrence(site)
    cell, ways = cell_of(site, sizes, 3), directions(site, ("Sigmoid", "Tanh"))
    return tuple(call for d in ways for call in recurrent_calls(site, sizes, d, cell, _gated(activations(d))))


def _select_rnn(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    cell, ways = cell_of(site, sizes, 1), directions(site, ("Tanh",))
    return tuple(call for d in ways for call in recurrent_calls(site, sizes, d, cell, _simple(activations(d))))


KERNELS = (Kernel("gru_packed", ("GRU",), _select_gru), Kernel("rnn_packed", ("RNN",), _select_rnn))
