"""Recurrent networks by register tiles against their meaning: sizes that fill no vector, both directions, batches, layouts."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.codegen.identity import identity
from edgeopt.ir import Array, Attribute
from edgeopt.ir.clone import clone
from edgeopt.kernels.recurrent import gru, gru_packed, lstm, lstm_packed
from edgeopt.lower.lowering import lower
from edgeopt.runtime.emulate import Emulator
from edgeopt.target import host
from tests.kernels.harness import check
from tests.kernels.one_node import agree, compiled, declined, kernels, normal, one_node

OPS = {"LSTM": (lstm_packed, 4, 3), "GRU": (gru_packed, 3, 2), "RNN": (gru_packed, 1, 2)}
PLAIN = {"LSTM": lstm, "GRU": gru, "RNN": gru}
LINEAR: dict[str, Attribute] = {"linear_before_reset": 1}


def _inputs(op: str, directions: int, hidden: int, batch: int, steps: int = 3, width: int = 5) -> list[Array | None]:
    gates = OPS[op][1] * hidden
    shapes = [(steps, batch, width), (directions, gates, width), (directions, gates, hidden), (directions, 2 * gates)]
    made: list[Array | None] = [normal(*s) * np.float32(0.4) for s in shapes]
    made += [None, normal(directions, batch, hidden) * np.float32(0.4)]
    return [*made, normal(directions, batch, hidden, seed=1)] if op == "LSTM" else made


def _attributes(op: str, hidden: int) -> dict[str, Attribute]:
    return {"hidden_size": hidden, **(LINEAR if op == "GRU" else {})}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(("hidden", "batch"), [(1, 1), (17, 5), (33, 1)])
def test_sizes(op: str, hidden: int, batch: int) -> None:
    inputs, constant = _inputs(op, 1, hidden, batch), (1, 2, 3)
    module, _, outputs = OPS[op]
    agree(module, op, inputs, _attributes(op, hidden), constant, outputs, rtol=1e-5, atol=1e-5, threads=2)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("layout", [0, 1])
def test_both_directions_and_layouts_equal_the_plain_kernel(op: str, layout: int) -> None:
    inputs, attributes = _inputs(op, 2, 20, 3), {**_attributes(op, 20), "direction": "bidirectional", "layout": layout}
    if layout:
        inputs = [np.ascontiguousarray(a.swapaxes(0, 1)) if a is not None and i in (0, 5, 6) else a for i, a in enumerate(inputs)]
    _equal_the_plain_kernel(op, inputs, attributes, (1, 2, 3))


def _equal_the_plain_kernel(
    op: str, inputs: list[Array | None], attributes: dict[str, Attribute], constant: tuple[int, ...]
) -> None:
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in constant}
    graph = one_node(op, inputs, attributes, constant, OPS[op][2])
    made = [compiled(graph, kernels(m)).run(data) for m in (OPS[op][0], PLAIN[op])]
    for name, expected in made[1].items():
        np.testing.assert_allclose(made[0][name], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("known", [False, True])
def test_sequences_that_end_early(op: str, known: bool) -> None:
    inputs, attributes = _inputs(op, 2, 18, 5), {**_attributes(op, 18), "direction": "bidirectional"}
    inputs[4] = np.array([3, 1, 0, 2, 3], np.int32)
    _equal_the_plain_kernel(op, inputs, attributes, (1, 2, 3, 4) if known else (1, 2, 3))


def test_lengths_of_sequences_that_are_all_whole_cost_nothing() -> None:
    inputs, made = _inputs("LSTM", 1, 6, 2), []
    for inputs[4] in (None, np.array([3, 3], np.int32)):
        program = lower(one_node("LSTM", inputs, _attributes("LSTM", 6), (1, 2, 3, 4), 3), host(), "one", kernels(lstm_packed))
        made.append([identity(step.call.function) for step in program.native])
    assert made[0] == made[1]


@pytest.mark.parametrize(("hidden", "batch"), [(5, 1), (36, 5)])
def test_reset_before_the_product(hidden: int, batch: int) -> None:
    inputs, attributes = _inputs("GRU", 2, hidden, batch), {"hidden_size": hidden, "direction": "bidirectional"}
    _equal_the_plain_kernel("GRU", inputs, attributes, (1, 2, 3))


@pytest.mark.parametrize("hidden", [4, 37])
def test_peepholes(hidden: int) -> None:
    inputs = [*_inputs("LSTM", 2, hidden, 3), normal(2, 3 * hidden, seed=2)]
    _equal_the_plain_kernel("LSTM", inputs, {"hidden_size": hidden, "direction": "bidirectional"}, (1, 2, 3, 7))


def test_activations_other_than_the_usual() -> None:
    attributes = {**_attributes("GRU", 9), "activations": ["HardSigmoid", "LeakyRelu"], "activation_alpha": [0.3, 0.05]}
    inputs = _inputs("GRU", 1, 9, 1)
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in (1, 2, 3)}
    graph = one_node("GRU", inputs, attributes, (1, 2, 3), 2)
    made = [compiled(graph, kernels(m)).run(data) for m in (gru_packed, gru)]
    np.testing.assert_allclose(list(made[0].values())[0], list(made[1].values())[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "attributes", "reason"),
    [
        ("LSTM", {"input_forget": 1}, "coupled"),
        ("RNN", {"clip": 1.0}, "clipped"),
        ("RNN", {"activations": ["Softsign"]}, "Softsign"),
    ],
)
def test_reasons(op: str, attributes: dict[str, Attribute], reason: str) -> None:
    graph = one_node(op, _inputs(op, 1, 3, 1), {"hidden_size": 3, **attributes}, (1, 2, 3), OPS[op][2])
    assert reason in declined(OPS[op][0], graph)


@pytest.mark.skipif(not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))), reason="no emulator or compiler")
@pytest.mark.parametrize("op", OPS)
def test_arm(op: str) -> None:
    inputs = _inputs(op, 1, 13, 3)
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in (1, 2, 3)}
    graph = one_node(op, inputs, _attributes(op, 13), (1, 2, 3), OPS[op][2])
    with Emulator(edgeopt.compile(clone(graph), level=0, target="arm")) as emulator:
        made = emulator.run(data)
    for name, expected in compiled(graph, kernels(PLAIN[op])).run(data).items():
        np.testing.assert_allclose(made[name], expected, rtol=1e-5, atol=1e-5)


def test_avx2() -> None:
    inputs = _inputs("LSTM", 1, 21, 3)
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in (1, 2, 3)}
    check(one_node("LSTM", inputs, _attributes("LSTM", 21), (1, 2, 3), 3), data, [lstm_packed.KERNEL], "x86-64-v3")
