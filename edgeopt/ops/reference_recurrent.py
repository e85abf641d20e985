"""LSTM, GRU and RNN for the reference evaluator.

Its own ignore lengths, clip, coupled gates and most activations (onnx 1.23).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from onnx.reference.op_run import OpRun

from edgeopt.ir import Array

Function = Callable[[Array], Array]
PLAIN: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(0.5 * x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
}
BY_ALPHA: dict[str, tuple[float, Callable[[Array, float], Array]]] = {
    "leakyrelu": (0.01, lambda x, a: np.where(x < 0, a * x, x)),
    "thresholdedrelu": (1.0, lambda x, a: np.where(x > a, x, 0)),
    "elu": (1.0, lambda x, a: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x)),
}
BY_BOTH: dict[str, tuple[tuple[float, float], Callable[[Array, float, float], Array]]] = {
    "hardsigmoid": ((0.2, 0.5), lambda x, a, b: np.clip(a * x + b, 0, 1)),
    "affine": ((1.0, 0.0), lambda x, a, b: a * x + b),
    "scaledtanh": ((1.0, 1.0), lambda x, a, b: a * np.tanh(b * x)),
}


def _function(name: str, alphas: list[float], betas: list[float]) -> Function:
    """The activation ``name``; it takes its parameters from the lists, in which those of all activations follow each other."""
    if name in BY_ALPHA:
        default, one = BY_ALPHA[name]
        alpha = alphas.pop(0) if alphas else default
        return lambda x: one(x, alpha)
    if name in BY_BOTH:
        defaults, both = BY_BOTH[name]
        a, b = (given.pop(0) if given else value for given, value in zip((alphas, betas), defaults, strict=True))
        return lambda x: both(x, a, b)
    return PLAIN[name]


class _Recurrent(OpRun):
    """Steps of one direction after the other; what lies behind the end of a sequence is zero."""

    defaults: ClassVar[tuple[str, ...]]
    states: ClassVar[int] = 1

    def _run(self, x: Array, w: Array, r: Array, *others: Array | None, **attributes: Any) -> tuple[Array, ...]:
        given: list[Array | None] = [*others, *[None] * (5 - len(others))]
        (bias, lengths), states, peepholes, major = given[:2], given[2:4], given[4], attributes.get("layout") or 0
        x = np.swapaxes(x, 0, 1) if major else x
        wide = np.float64 if x.dtype == np.float64 else np.float32
        (steps, batch), (count, _, hidden) = x.shape[:2], r.shape
        ends = np.full(batch, steps) if lengths is None else lengths
        first = [_state(s, (count, batch, hidden), major).astype(wide) for s in states[: self.states]]
        y, last = np.zeros((steps, count, batch, hidden), wide), [s.copy() for s in first]
        bias = np.zeros((count, 2 * w.shape[1]), wide) if bias is None else bias
        for i, functions in enumerate(self._functions(count, attributes)):
            now, backward = [s[i] for s in first], i == 1 or attributes.get("direction") == "reverse"
            own = [None if a is None else a[i].astype(wide) for a in (w, r, bias, peepholes)]
            for step in range(steps):
                at = np.where(backward & (step < ends), ends - 1 - step, step)
                inputs = x[at, np.arange(batch)].astype(wide)
                after, alive = self._step(inputs, now, own, functions, attributes), (step < ends)[:, None]
                now = [np.where(alive, a, b) for a, b in zip(after, now, strict=True)]
                y[at, i, np.arange(batch)] = np.where(alive, now[0], 0)
            for state, array in zip(last, now, strict=True):
                state[i] = array
        made = [y.transpose(2, 0, 1, 3), *(s.swapaxes(0, 1) for s in last)] if major else [y, *last]
        return tuple(np.ascontiguousarray(a.astype(x.dtype)) for a in made[: len(self.onnx_node.output)])

    def _functions(self, count: int, attributes: dict[str, Any]) -> list[list[Function]]:
        names = [str(n).lower() for n in attributes.get("activations") or self.defaults * count]
        alphas, betas = (list(attributes.get(f"activation_{n}") or []) for n in ("alpha", "beta"))
        made, each = [_function(n, alphas, betas) for n in names], len(self.defaults)
        return [made[i * each : (i + 1) * each] for i in range(count)]

    def _step(
        self, x: Array, states: list[Array], own: Sequence[Any], functions: list[Function], attributes: dict[str, Any]
    ) -> list[Array]:
        """The states after one step; ``own`` are weights, weights of the units, bias and peepholes of the direction."""
        raise NotImplementedError


def _state(given: Array | None, shape: tuple[int, ...], major: int) -> Array:
    if given is None:
        return np.zeros(shape, np.float32)
    return np.swapaxes(given, 0, 1) if major else given


def _clipped(function: Function, attributes: dict[str, Any]) -> Function:
    bound = attributes.get("clip") or 0
    return (lambda x: function(np.clip(x, -bound, bound))) if bound > 0 else function


class LSTM(_Recurrent):
    """i, o, f = f(W x + R h + P c + b);  c = f c + i g(W x + R h + b);  h = o h(c)."""

    defaults, states = ("Sigmoid", "Tanh", "Tanh"), 2

    def _step(
        self, x: Array, states: list[Array], own: Sequence[Any], functions: list[Function], attributes: dict[str, Any]
    ) -> list[Array]:
        (w, r, bias, peepholes), (h, c) = own, states
        f, g = (_clipped(function, attributes) for function in functions[:2])
        i, o, forget, candidate = np.split(x @ w.T + h @ r.T + sum(np.split(bias, 2)), 4, axis=1)
        sees = np.zeros((3, 1)) if peepholes is None else np.split(peepholes, 3)
        i = f(i + sees[0] * c)
        forget = 1 - i if attributes.get("input_forget") else f(forget + sees[2] * c)
        c = forget * c + i * g(candidate)
        return [f(o + sees[1] * c) * functions[2](c), c]


class GRU(_Recurrent):
    """z, r = f(W x + R h + b);  h = (1 - z) g(W x + R (r h) + b) + z h, or r (R h + b') where ``linear_before_reset``."""

    defaults = ("Sigmoid", "Tanh")

    def _step(
        self, x: Array, states: list[Array], own: Sequence[Any], functions: list[Function], attributes: dict[str, Any]
    ) -> list[Array]:
        (w, r, bias, _), (h,) = own, states
        f, g = (_clipped(function, attributes) for function in functions)
        given, units = np.split(x @ w.T + bias[: len(w)], 3, axis=1), np.split(r, 3)
        biases = np.split(bias[len(w) :], 3)
        update, reset = (f(given[q] + h @ units[q].T + biases[q]) for q in (0, 1))
        if attributes.get("linear_before_reset"):
            candidate = g(given[2] + reset * (h @ units[2].T + biases[2]))
        else:
            candidate = g(given[2] + (reset * h) @ units[2].T + biases[2])
        return [(1 - update) * candidate + update * h]


class RNN(_Recurrent):
    """h = f(W x + R h + b)."""

    defaults = ("Tanh",)

    def _step(
        self, x: Array, states: list[Array], own: Sequence[Any], functions: list[Function], attributes: dict[str, Any]
    ) -> list[Array]:
        w, r, bias, _ = own
        return [_clipped(functions[0], attributes)(x @ w.T + states[0] @ r.T + sum(np.split(bias, 2)))]
