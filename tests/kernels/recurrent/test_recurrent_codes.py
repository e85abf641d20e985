"""Recurrent networks of integer products: their meaning in standard operators, onnxruntime on the same file, other targets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import edgeopt
from edgeopt.frontend import export
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph
from edgeopt.ir.clone import clone
from edgeopt.kernels.recurrent import gru_packed, lstm_packed
from edgeopt.ops.quantized_recurrent import QUANTIZED, STATE_GRID, X_GRID
from edgeopt.ops.recurrent import GATES, SCALES
from edgeopt.runtime.emulate import Emulator
from tests.edgeopt.runtime_oracle import run
from tests.kernels.one_node import compiled, kernels, normal, one_node

MODULES = {"LSTM": lstm_packed, "GRU": gru_packed, "RNN": gru_packed}
OUTPUTS = {"LSTM": 3, "GRU": 2, "RNN": 2}
CONSTANT = (1, 2, 3, *SCALES, *X_GRID, *STATE_GRID)
Inputs = list[Array | None]


def inputs_of(
    op: str, hidden: int, batch: int, width: int = 5, steps: int = 3, directions: int = 1, dtype: str = "uint8"
) -> Inputs:
    """Random operands; the bias of the input lies on the grid of its products, as quantization leaves it."""
    rows, random, (low, high) = GATES[op] * hidden, np.random.default_rng(hidden), {"uint8": (0, 255), "int8": (-128, 127)}[dtype]
    weights = [random.integers(-127, 128, (directions, rows, n)).astype(np.int8) for n in (width, hidden)]
    steps_of = [random.uniform(0.001, 0.004, (directions, rows, 1)).astype(np.float32) for _ in range(2)]
    x_scale, middle = np.float32(0.02), (low + high + 1) // 2
    bias = random.standard_normal((directions, 2 * rows)).astype(np.float32) * np.float32(0.3)
    grid = x_scale * steps_of[0][..., 0]
    bias[:, :rows] = np.rint(bias[:, :rows] / grid) * grid
    states = [normal(directions, batch, hidden, seed=i) * np.float32(0.4) for i in range(2 if op == "LSTM" else 1)]
    x = random.integers(low, high + 1, (steps, batch, width)).astype(dtype)
    made: Inputs = [x, *weights, bias, None, *states]
    made += [None] * (SCALES[0] - len(made))
    zeros = [np.array(z, dtype) for z in (middle + 3, middle - 2)]
    return [*made, *steps_of, np.array(x_scale), zeros[0], np.array(0.009, np.float32), zeros[1]]


def quantized(op: str, inputs: Inputs, hidden: int, **attributes: Attribute) -> tuple[Graph, dict[str, Array]]:
    """The graph of one quantised operator, and what it is fed."""
    known = {"hidden_size": hidden, **attributes}
    graph = one_node(QUANTIZED[op], inputs, known, CONSTANT, OUTPUTS[op], domain=OWN_DOMAIN)
    return graph, {f"x{i}": a for i, a in enumerate(inputs) if a is not None and i not in CONSTANT}


def same(left: dict[str, Array], right: dict[str, Array]) -> None:
    """Outputs in their order; codes of units that lie halfway may be rounded otherwise after float sums in another order."""
    for a, b in zip(left.values(), right.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize(("hidden", "batch", "width"), [(17, 2, 5), (40, 1, 16)])
def test_equals_its_body(op: str, hidden: int, batch: int, width: int) -> None:
    how: dict[str, Attribute] = {"linear_before_reset": 1} if op == "GRU" else {}
    graph, data = quantized(op, inputs_of(op, hidden, batch, width), hidden, **how)
    same(compiled(graph, kernels(MODULES[op])).run(data), interpret(graph, data))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("layout", [0, 1])
def test_onnxruntime_runs_the_exported_file(op: str, layout: int) -> None:
    inputs = inputs_of(op, 20, 3, directions=2)
    if layout:
        inputs = [np.ascontiguousarray(a.swapaxes(0, 1)) if a is not None and i in (0, 5, 6) else a for i, a in enumerate(inputs)]
    graph, data = quantized(op, inputs, 20, direction="bidirectional", layout=layout)
    same(compiled(graph, kernels(MODULES[op])).run(data, 2), run(export(clone(graph)), data))


def test_without_bias_and_states_backwards() -> None:
    inputs = inputs_of("LSTM", 19, 1)
    inputs[3] = inputs[5] = inputs[6] = None
    graph, data = quantized("LSTM", inputs, 19, direction="reverse")
    same(compiled(graph, kernels(lstm_packed)).run(data), run(export(clone(graph)), data))


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
@pytest.mark.parametrize("target", ["x86-64-v3", "arm", "cortex-a76"])
def test_codes_are_those_of_the_host_on_other_targets(op: str, target: str) -> None:
    if target != "x86-64-v3" and not all(map(shutil.which, ("qemu-aarch64", "aarch64-linux-gnu-gcc"))):
        pytest.skip("no emulator or compiler")
    inputs = inputs_of(op, 21, 3, dtype="int8" if target == "arm" else "uint8")
    graph, data = quantized(op, inputs, 21)
    made = edgeopt.compile(clone(graph), level=0, target=target)
    if target == "x86-64-v3":
        results = made.run(data)
    else:
        with Emulator(made) as emulator:
            results = emulator.run(data)
    same(results, compiled(graph, kernels(MODULES[op])).run(data))


def test_two_threads_give_the_bits_of_one() -> None:
    graph, data = quantized("GRU", inputs_of("GRU", 33, 19, steps=4), 33)
    model = compiled(graph, kernels(gru_packed))
    alone = model.run(data)
    for _ in range(60):
        for name, array in model.run(data, 2).items():
            np.testing.assert_array_equal(array, alone[name])
