"""RNN, GRU and LSTM: one step after the other, as the ONNX operators define them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Node
from edgeopt.training.operators.definition import Operator, Traced

DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
State = tuple[Traced, ...]  # [batch, hidden] each
Step = Callable[[State, Traced], State]  # from what the input contributes [batch, gates * hidden]


def _rnn(node: Node, r: Traced, bias: Traced, peepholes: Traced | None) -> Step:
    return lambda state, given: (jnp.tanh(given + state[0] @ r.T + bias),)


def _gru(node: Node, r: Traced, bias: Traced, peepholes: Traced | None) -> Step:
    hidden, before = r.shape[1], not node.integer("linear_before_reset", 0)
    rz, rr, rh = jnp.split(r, 3)
    bz, br, bh = jnp.split(bias, 3)

    def step(state: State, given: Traced) -> State:
        (h,) = state
        z = jax.nn.sigmoid(given[:, :hidden] + h @ rz.T + bz)
        gate = jax.nn.sigmoid(given[:, hidden : 2 * hidden] + h @ rr.T + br)
        inner = (gate * h) @ rh.T + bh if before else gate * (h @ rh.T + bh)
        return ((1 - z) * jnp.tanh(given[:, 2 * hidden :] + inner) + z * h,)

    return step


def _lstm(node: Node, r: Traced, bias: Traced, peepholes: Traced | None) -> Step:
    pi, po, pf = (0.0, 0.0, 0.0) if peepholes is None else jnp.split(peepholes, 3)

    def step(state: State, given: Traced) -> State:
        h, c = state
        i, o, f, g = jnp.split(given + h @ r.T + bias, 4, axis=1)
        made = jax.nn.sigmoid(f + pf * c) * c + jax.nn.sigmoid(i + pi * c) * jnp.tanh(g)
        return jax.nn.sigmoid(o + po * made) * jnp.tanh(made), made

    return step


CELLS: dict[str, tuple[Callable[..., Step], int]] = {"RNN": (_rnn, 1), "GRU": (_gru, 1), "LSTM": (_lstm, 2)}


def recurrent(node: Node, inputs: Sequence[Any]) -> tuple[Traced, ...]:
    """Y [steps, directions, batch, hidden] and the last states. Raises EdgeoptError for what it does not know."""
    x, w, r, bias, lengths, h0, c0, peepholes = (*inputs, *[None] * 8)[:8]
    assert x is not None and w is not None and r is not None
    _require_plain(node, lengths)
    make, count = CELLS[node.op]
    directions, hidden = w.shape[0], r.shape[2]
    bias = jnp.zeros((directions, 2 * w.shape[1]), x.dtype) if bias is None else bias
    every, last = [], []
    for d in range(directions):
        start = [jnp.zeros((x.shape[1], hidden), x.dtype) if s is None else s[d] for s in (h0, c0)][:count]
        backwards = d == 1 or node.text("direction", "forward") == "reverse"
        from_inputs, from_state = jnp.split(bias[d], 2)
        step = make(node, r[d], from_state, None if peepholes is None else peepholes[d])
        outputs, state = _run(step, tuple(start), x @ w[d].T + from_inputs, backwards)
        every.append(outputs)
        last.append(state)
    return jnp.stack(every, 1), *(jnp.stack([state[i] for state in last]) for i in range(count))


def _run(step: Step, start: State, given: Traced, backwards: bool) -> tuple[Traced, State]:
    def body(state: State, part: Traced) -> tuple[State, Traced]:
        made = step(state, part)
        return made, made[0]

    state, outputs = lax.scan(body, start, given, reverse=backwards)
    return outputs, state


def _require_plain(node: Node, lengths: Any) -> None:
    named: Any = node.attributes.get("activations")
    names = [n.decode() if isinstance(n, bytes) else n for n in named or []]
    plain = DEFAULTS[node.op] * (2 if node.text("direction", "forward") == "bidirectional" else 1)
    odd = lengths is not None or node.integer("layout", 0) or "clip" in node.attributes or node.integer("input_forget", 0)
    if odd or (names and names != plain):
        raise EdgeoptError(f"{node!r} cannot be trained through: lengths, clipping and other activations are not known there")


OPERATORS: dict[str, Operator] = dict.fromkeys(CELLS, recurrent)
