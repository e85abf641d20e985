"""LSTM in all its forms: both directions, bias, initial states, peepholes, sequence lengths, clip, coupled gates, layouts.

i, o, f = f(W x + R h + P c + b);  g = g(W x + R h + b);  c = f c + i g;  h = o h(c), with gates in the order i, o, f, g.
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
def _kernel(dtype: str, gate: str, cell: str, output: str) -> Callable[..., None]:
    load, store, kind = loader(dtype), storer(dtype), scalar(dtype)
    f, g, h = (formula(name, dtype) for name in (gate, cell, output))
    zero, one = kind(0), kind(1)
    limited = inline(lambda x, bound: max(min(x, bound), -bound) if bound > zero else x)

    def kernel(
        x: Any, w: Any, r: Any, b: Any, lens: Any, h0: Any, c0: Any, p: Any, y: Any, yh: Any, yc: Any,
        hidden: Any, cells: Any, gates: Any, begin: Any, end: Any,
        fa: Any, fb: Any, ga: Any, gb: Any, ha: Any, hb: Any, clip: Any, coupled: Any,
        steps: Any, width: Any, n: Any, backward: Any, xs: Any, xt: Any, y0: Any, ys: Any, yt: Any, s0: Any, ss: Any,
        w0: Any, r0: Any, b0: Any, p0: Any,
    ) -> None:  # fmt: skip
        bound = kind(clip)
        for chunk in range(begin, end):
            own, count = s0 + chunk * ss, min(lens[chunk], steps)
            for k in range(n):
                hidden[k], cells[k] = load(h0, own + k), load(c0, own + k)
            for step in range(steps):
                t = count - 1 - step if backward and step < count else step
                place = y0 + chunk * ys + t * yt
                if step >= count:
                    for k in range(n):
                        store(y, place + k, zero)
                    continue
                for q in range(4 * n):
                    total = load(b, b0 + q) + load(b, b0 + 4 * n + q)
                    for k in range(width):
                        total += load(w, w0 + q * width + k) * load(x, chunk * xs + t * xt + k)
                    for k in range(n):
                        total += load(r, r0 + q * n + k) * hidden[k]
                    gates[q] = total
                for k in range(n):
                    i = f(limited(gates[k] + load(p, p0 + k) * cells[k], bound), kind(fa), kind(fb))
                    forget = f(limited(gates[2 * n + k] + load(p, p0 + 2 * n + k) * cells[k], bound), kind(fa), kind(fb))
                    forget = one - i if coupled else forget
                    c = forget * cells[k] + i * g(limited(gates[3 * n + k], bound), kind(ga), kind(gb))
                    o = f(limited(gates[n + k] + load(p, p0 + n + k) * c, bound), kind(fa), kind(fb))
                    cells[k] = c
                    hidden[k] = o * h(c, kind(ha), kind(hb))
                    store(y, place + k, hidden[k])
            for k in range(n):
                store(yh, own + k, hidden[k])
                store(yc, own + k, cells[k])

    return kernel


def _call(site: Site, sizes: Recurrence, direction: Direction) -> KernelCall:
    n, states = sizes.hidden, sizes.directions * sizes.batch * sizes.hidden
    f, g, h = direction.activations
    operands: tuple[Operand, ...] = (
        *(Input(0), Input(1), Input(2), optional_input(site, 3, sizes.directions * 8 * n), lengths(site, sizes)),
        *(optional_input(site, 5, states), optional_input(site, 6, states), optional_input(site, 7, sizes.directions * 3 * n)),
        *(optional_output(site, 0, states * sizes.steps), optional_output(site, 1, states), optional_output(site, 2, states)),
        *(state(site, "hidden", n), state(site, "cells", n), state(site, "gates", 4 * n)),
    )
    scales = (f.alpha, f.beta, g.alpha, g.beta, h.alpha, h.beta, site.node.real("clip", 0.0))
    constants = (*scales, site.node.integer("input_forget", 0), *sizes.constants(direction, 4))
    key = (site.given(0).type.dtype, f.name, g.name, h.name)
    return KernelCall(_kernel(*key), operands, constants, sizes.batch)


def _select(site: Site) -> tuple[KernelCall, ...]:
    sizes = recurrence(site)
    return tuple(_call(site, sizes, d) for d in directions(site, ("Sigmoid", "Tanh", "Tanh")))


KERNEL = Kernel("lstm", ("LSTM",), _select)
