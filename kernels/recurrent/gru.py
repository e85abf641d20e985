"""GRU and RNN in all their forms: both directions, bias, initial state, sequence lengths, clip, linear_before_reset, layouts.

GRU: z, r = f(W x + R h + b);  g = g(W x + R (r h) + b), or g(W x + r (R h + Rb) + Wb);  h = (1 - z) g + z h.
RNN: h = f(W x + R h + b).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from edgeopt.kernels.call import Input, Kernel, KernelCall, Operand, Site
from edgeopt.kernels.emit.elements import loader, scalar, storer
from edgeopt.kernels.emit.intrinsics import inline
from edgeopt.kernels.pointwise.unary import formula
from edgeopt.kernels.recurrent.recurrent import (
    Direction,
    Recurrence,
    directions,
    lengths,
    optional_input,
    optional_output,
    recurrence,
    state,
)


@cache
def _kernel(dtype: str, gates_count: int, gate: str, cell: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    f, g = formula(gate, dtype), formula(cell, dtype)
    zero, one, gated = kind(0), kind(1), gates_count == 3
    limited = inline(lambda x, bound: max(min(x, bound), -bound) if bound > zero else x)

    @inline
    def product(weights: Any, row: Any, vector: Any, n: Any) -> Any:
        total = zero
        for k in range(n):
            total += load(weights, row + k) * vector[k]
        return total

    def kernel(
        x: Any, w: Any, r: Any, b: Any, lens: Any, h0: Any, y: Any, yh: Any, hidden: Any, gates: Any, reset: Any,
        begin: Any, end: Any, fa: Any, fb: Any, ga: Any, gb: Any, clip: Any, linear: Any,
        steps: Any, width: Any, n: Any, backward: Any, xs: Any, xt: Any, y0: Any, ys: Any, yt: Any, s0: Any, ss: Any,
        w0: Any, r0: Any, b0: Any, p0: Any,
    ) -> None:  # fmt: skip
        bound, rows = kind(clip), gates_count * n
        for chunk in range(begin, end):
            own, count = s0 + chunk * ss, min(lens[chunk], steps)
            for k in range(n):
                hidden[k] = load(h0, own + k)
            for step in range(steps):
                t = count - 1 - step if backward and step < count else step
                place = y0 + chunk * ys + t * yt
                if step >= count:
                    for k in range(n):
                        store(y, place + k, zero)
                    continue
                for q in range(rows):
                    total = load(b, b0 + q)
                    for k in range(width):
                        total += load(w, w0 + q * width + k) * load(x, chunk * xs + t * xt + k)
                    if q < 2 * n or not gated:
                        total += product(r, r0 + q * n, hidden, n) + load(b, b0 + rows + q)
                        total = f(limited(total, bound), kind(fa), kind(fb))
                    gates[q] = total
                if gated:
                    for k in range(n):
                        reset[k] = hidden[k] if linear else hidden[k] * gates[n + k]
                    for k in range(n):
                        inner = product(r, r0 + (2 * n + k) * n, reset, n) + load(b, b0 + rows + 2 * n + k)
                        inner = inner * gates[n + k] if linear else inner
                        candidate = g(limited(gates[2 * n + k] + inner, bound), kind(ga), kind(gb))
                        gates[k] = (one - gates[k]) * candidate + gates[k] * hidden[k]
                for k in range(n):
                    hidden[k] = gates[k]
                    store(y, place + k, hidden[k])
            for k in range(n):
                store(yh, own + k, hidden[k])

    return kernel


def _call(site: Site, sizes: Recurrence, direction: Direction, gates: int) -> KernelCall:
    n, states = sizes.hidden, sizes.directions * sizes.batch * sizes.hidden
    f, g = direction.activations[0], direction.activations[-1]
    operands: tuple[Operand, ...] = (
        *(Input(0), Input(1), Input(2), optional_input(site, 3, sizes.directions * 2 * gates * n), lengths(site, sizes)),
        *(optional_input(site, 5, states), optional_output(site, 0, states * sizes.steps), optional_output(site, 1, states)),
        *(state(site, "hidden", n), state(site, "gates", gates * n), state(site, "reset", n)),
    )
    scales = (f.alpha, f.beta, g.alpha, g.beta, site.node.real("clip", 0.0))
    constants = (*scales, site.node.integer("linear_before_reset", 0), *sizes.constants(direction, gates))
    key = (site.given(0).type.dtype, gates, f.name, g.name)
    return KernelCall(_kernel(*key), operands, constants, sizes.batch)


def _select_gru(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    return tuple(_call(site, sizes, d, 3) for d in directions(site, ("Sigmoid", "Tanh")))


def _select_rnn(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    return tuple(_call(site, sizes, d, 1) for d in directions(site, ("Tanh",)))


KERNELS = (Kernel("gru", ("GRU",), _select_gru), Kernel("rnn", ("RNN",), _select_rnn))
