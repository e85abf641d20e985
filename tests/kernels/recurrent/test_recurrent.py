from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from edgeopt.ir import Array, Attribute, Value
from edgeopt.kernels.recurrent import gru, lstm
from tests.kernels.one_node import agree, compiled, kernels, normal, one_node

STEPS, BATCH, WIDTH, HIDDEN = 5, 3, 4, 6
OPS: dict[str, tuple[ModuleType, int, int]] = {"LSTM": (lstm, 4, 3), "GRU": (gru, 3, 2), "RNN": (gru, 1, 2)}


def _small(*shape: int, seed: int = 0) -> Array:
    return normal(*shape, seed=seed) * np.float32(0.4)


def _inputs(op: str, directions: int) -> list[Array | None]:
    """Input, weights, recurrence, bias, no lengths, initial state (and cell state and peepholes)."""
    gates = OPS[op][1] * HIDDEN
    made: list[Array | None] = [_small(STEPS, BATCH, WIDTH), _small(directions, gates, WIDTH), _small(directions, gates, HIDDEN)]
    made += [_small(directions, 2 * gates), None, _small(directions, BATCH, HIDDEN)]
    if op == "LSTM":
        made += [_small(directions, BATCH, HIDDEN, seed=1), _small(directions, 3 * HIDDEN)]
    return made


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("everything", [False, True], ids=["bare", "all inputs"])
def test_forward(op: str, everything: bool) -> None:
    inputs = _inputs(op, 1) if everything else _inputs(op, 1)[:3]
    agree(OPS[op][0], op, inputs, {"hidden_size": HIDDEN}, outputs=OPS[op][2], rtol=1e-5, atol=1e-5)


def _run(op: str, inputs: list[Array | None], attributes: dict[str, Attribute]) -> list[Array]:
    graph = one_node(op, inputs, {"hidden_size": HIDDEN, **attributes}, outputs=OPS[op][2])
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None}
    return list(compiled(graph, kernels(OPS[op][0])).run(data).values())


@pytest.mark.parametrize("op", OPS)
def test_reverse_is_forward_on_the_reversed_sequence(op: str) -> None:
    inputs = _inputs(op, 1)
    backward = _run(op, inputs, {"direction": "reverse"})
    assert inputs[0] is not None
    forward = _run(op, [np.ascontiguousarray(inputs[0][::-1]), *inputs[1:]], {})
    np.testing.assert_allclose(backward[0], forward[0][::-1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(backward[1], forward[1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("op", OPS)
def test_bidirectional_is_both_directions(op: str) -> None:
    inputs = _inputs(op, 2)
    both = _run(op, inputs, {"direction": "bidirectional"})
    for place, direction in enumerate(("forward", "reverse")):
        half = [inputs[0], *(None if a is None else np.ascontiguousarray(a[place : place + 1]) for a in inputs[1:])]
        alone = _run(op, half, {"direction": direction})
        np.testing.assert_allclose(both[0][:, place], alone[0][:, 0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(both[1][place], alone[1][0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_short_sequences_end_early(op: str, direction: str) -> None:
    inputs = _inputs(op, 1)
    lengths = np.array([5, 2, 3], np.int32)
    inputs[4] = lengths
    result = _run(op, inputs, {"direction": direction})
    inputs[4] = None
    assert inputs[0] is not None
    for sample, length in enumerate(lengths):
        alone = _run(op, [np.ascontiguousarray(inputs[0][:length]), *inputs[1:]], {"direction": direction})
        np.testing.assert_allclose(result[0][:length, :, sample], alone[0][:, :, sample], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(result[1][:, sample], alone[1][:, sample], rtol=1e-6, atol=1e-6)
        assert not result[0][length:, :, sample].any()


@pytest.mark.parametrize("op", OPS)
def test_batch_major_layout(op: str) -> None:
    inputs = _inputs(op, 1)[:4]
    plain = _run(op, inputs, {})
    assert inputs[0] is not None
    major = _run(op, [np.ascontiguousarray(inputs[0].swapaxes(0, 1)), *inputs[1:]], {"layout": 1})
    np.testing.assert_allclose(major[0], plain[0].transpose(2, 0, 1, 3), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(major[1], plain[1].swapaxes(0, 1), rtol=1e-6, atol=1e-6)


def test_linear_before_reset() -> None:
    attributes: dict[str, Attribute] = {"hidden_size": HIDDEN, "linear_before_reset": 1}
    agree(gru, "GRU", _inputs("GRU", 1), attributes, outputs=2, rtol=1e-5, atol=1e-5)


def test_activations_and_clip_of_a_recurrence_by_hand() -> None:
    x, w, r = np.array([[[1.0]], [[10.0]]], np.float32), np.full((1, 1, 1), 0.5, np.float32), np.full((1, 1, 1), 2.0, np.float32)
    graph_attributes: dict[str, Attribute] = {"activations": ["Affine"], "activation_alpha": [3.0], "activation_beta": [1.0]}
    expected = np.array([[[[2.5]]], [[[13.0]]]], np.float32)
    agree(gru, "RNN", [x, w, r], {"hidden_size": 1, "clip": 4.0, **graph_attributes}, expected=[expected])


def test_only_the_last_state_is_asked_for() -> None:
    inputs = _inputs("LSTM", 1)[:3]
    graph = one_node("LSTM", inputs, {"hidden_size": HIDDEN}, outputs=3)
    node = graph.nodes[0]
    graph.outputs = [node.outputs[1]]
    node.outputs[0], node.outputs[2] = Value("", None, node), Value("", None, node)
    data = {f"x{i}": a for i, a in enumerate(inputs) if a is not None}
    (last,) = compiled(graph, kernels(lstm)).run(data).values()
    np.testing.assert_allclose(last, _run("LSTM", inputs, {})[1], rtol=1e-6)
