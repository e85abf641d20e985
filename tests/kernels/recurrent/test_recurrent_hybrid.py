"""Recurrent networks with weights in few bits: their meaning, and what the float kernels make of the same numbers."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

import edgeopt
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, numpy_dtype
from edgeopt.ir.clone import clone
from edgeopt.kernels.recurrent import gru_packed, lstm_packed
from edgeopt.ops.recurrent import GATES, SCALES
from edgeopt.runtime.emulate import Emulator
from tests.kernels.harness import check
from tests.kernels.one_node import compiled, kernels, normal, one_node

MODULES = {"LSTM": lstm_packed, "GRU": gru_packed, "RNN": gru_packed}
OUTPUTS = {"LSTM": 3, "GRU": 2, "RNN": 2}
CONSTANT = (1, 2, 3, *SCALES)
REACH = {"int8": 127, "int4": 7}
Inputs = list[Array | None]


def inputs_of(op: str, kind: str, hidden: int, batch: int, steps: int = 3, width: int = 5, directions: int = 1) -> Inputs:
    """Random operands of a hybrid operator; the scales of half precision are left out."""
    rows = GATES[op] * hidden
    weights = [_codes(kind, directions, rows, n) for n in (width, hidden)]
    states = [normal(directions, batch, hidden, seed=i) * np.float32(0.4) for i in range(2 if op == "LSTM" else 1)]
    bias = normal(directions, 2 * rows) * np.float32(0.4)
    made: Inputs = [normal(steps, batch, width), *weights, bias, None, *states]
    made += [None] * (SCALES[0] - len(made))
    if kind == "float16":
        return made
    return [*made, *(np.abs(normal(directions, rows, 1, seed=s)) * np.float32(0.5 / REACH[kind]) for s in (2, 3))]


def _codes(kind: str, *shape: int) -> Array:
    if kind == "float16":
        return (normal(*shape) * np.float32(0.3)).astype(np.float16)
    return np.random.default_rng(shape).integers(-REACH[kind], REACH[kind] + 1, shape).astype(numpy_dtype(kind))


def hybrid(op: str, inputs: Inputs, hidden: int, **attributes: Attribute) -> tuple[Graph, dict[str, Array]]:
    """The graph of one hybrid operator, and what it is fed."""
    known = {"hidden_size": hidden, **attributes}
    graph = one_node(f"Hybrid{op}", inputs, known, CONSTANT, OUTPUTS[op], domain=OWN_DOMAIN)
    return graph, {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in CONSTANT}


def as_float(op: str, inputs: Inputs, hidden: int, **attributes: Attribute) -> dict[str, Array]:
    """What the float kernel makes of the numbers that the codes stand for."""
    given = inputs[: 5 + OUTPUTS[op] - 1]
    real = [a if i not in (1, 2) or a is None else _numbers(a, inputs, i) for i, a in enumerate(given)]
    graph = one_node(op, real, {"hidden_size": hidden, **attributes}, (1, 2, 3), OUTPUTS[op])
    data = {f"x{i}": a for i, a in enumerate(real) if a is not None and i not in (1, 2, 3)}
    return compiled(graph, kernels(MODULES[op])).run(data)


def _numbers(codes: Array, inputs: Inputs, index: int) -> Array:
    scale = inputs[index + SCALES[0] - 1] if len(inputs) > SCALES[0] else None
    return codes.astype(np.float32) * (np.float32(1) if scale is None else scale)


def same(left: dict[str, Array], right: dict[str, Array]) -> None:
    """Outputs in their order within rounding."""
    for a, b in zip(left.values(), right.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("kind", ["int8", "int4", "float16"])
def test_equals_its_body(op: str, kind: str) -> None:
    graph, data = hybrid(op, inputs_of(op, kind, 17, 2), 17, **({"linear_before_reset": 1} if op == "GRU" else {}))
    same(compiled(graph, kernels(MODULES[op])).run(data), interpret(graph, data))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("layout", [0, 1])
def test_both_directions_and_layouts(op: str, layout: int) -> None:
    inputs = inputs_of(op, "int8", 20, 5, directions=2)
    if layout:
        inputs = [np.ascontiguousarray(a.swapaxes(0, 1)) if a is not None and i in (0, 5, 6) else a for i, a in enumerate(inputs)]
    how: dict[str, Attribute] = {"direction": "bidirectional", "layout": layout}
    graph, data = hybrid(op, inputs, 20, **how)
    same(compiled(graph, kernels(MODULES[op])).run(data, 2), as_float(op, inputs, 20, **how))


@settings(max_examples=6, deadline=None)
@drawn(
    op=st.sampled_from(sorted(GATES)),
    kind=st.sampled_from(["int8", "int4"]),
    hidden=st.integers(1, 40),
    batch=st.integers(1, 6),
    steps=st.integers(1, 4),
    width=st.integers(1, 19),
)
def test_any_size(op: str, kind: str, hidden: int, batch: int, steps: int, width: int) -> None:
    inputs = inputs_of(op, kind, hidden, batch, steps, width)
    graph, data = hybrid(op, inputs, hidden)
    same(compiled(graph, kernels(MODULES[op])).run(data), as_float(op, inputs, hidden))


def test_one_scale_for_all_rows() -> None:
    inputs = inputs_of("GRU", "int8", 9, 1)
    inputs[SCALES[0]], inputs[SCALES[1]] = np.full((1, 1, 1), 0.01, np.float32), np.full((1, 1, 1), 0.02, np.float32)
    graph, data = hybrid("GRU", inputs, 9)
    same(compiled(graph, kernels(gru_packed)).run(data), as_float("GRU", inputs, 9))


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_two_threads_give_the_bits_of_one(op: str) -> None:
    graph, data = hybrid(op, inputs_of(op, "int8", 33, 19, steps=4), 33)
    model = compiled(graph, kernels(MODULES[op]))
    alone = model.run(data)
    for _ in range(60):
        for name, array in model.run(data, 2).items():
            np.testing.assert_array_equal(array, alone[name])


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_avx2(kind: str) -> None:
    check(*hybrid("LSTM", inputs_of("LSTM", kind, 21, 3), 21), [lstm_packed.KERNEL], "x86-64-v3")


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_arm(kind: str) -> None:
    inputs = inputs_of("GRU", kind, 13, 3)
    graph, data = hybrid("GRU", inputs, 13)
    with Emulator(edgeopt.compile(clone(graph), level=0, target="arm")) as emulator:
        same(emulator.run(data), as_float("GRU", inputs, 13))
