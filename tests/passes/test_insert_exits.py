"""insert_exits: what leaves early gets the head's answer, all else the network's, and the rest is not needed for the former."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from onnx import parser

from edgeopt.assembly import assemble
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Array, Graph, verify
from edgeopt.ops.exit_features import Convolved, Features, Grid, Hidden
from edgeopt.passes.dead_code import PASS
from edgeopt.passes.insert_exits import Exit, make, shortened
from edgeopt.rewrite import Context, run_pass
from edgeopt.target import host
from tests.edgeopt import runtime_oracle
from tests.edgeopt.small_models import convolution

RNG = np.random.default_rng(3)


def exit_at(
    value: str, number: int, features: int, grid: tuple[int, int] | None, threshold: float, kind: str = "probability"
) -> Exit:
    weight = RNG.standard_normal((features, 5)).astype(np.float32)
    return Exit(value, number, Grid(grid), weight, np.zeros(5, np.float32), threshold, False, kind)


def answer(exit_: Exit, value: Array) -> Array:
    """What the head of ``exit_`` says of ``value`` [1, ...]."""
    assert isinstance(exit_.features, Grid)
    if exit_.features.cells is not None:
        (n, c, h, w), (rows, columns) = value.shape, exit_.features.cells
        value = value.reshape(n, c, rows, h // rows, columns, w // columns).mean(axis=(3, 5))
    return np.asarray(value.reshape(1, -1) @ exit_.weight + exit_.bias)


def sure(logits: Array, kind: str) -> float:
    e = np.sort(np.exp(logits - logits.max()).reshape(-1))
    p = np.maximum(e / e.sum(), 1e-30)  # as the definition of the entropy has it: 0 log 0 is 0
    entropy = -float((p * np.log(p)).sum())
    return {"probability": float(p[-1]), "margin": float(p[-1] - p[-2]), "entropy": 1 - entropy / float(np.log(len(p)))}[kind]


@pytest.fixture(params=["probability", "margin", "entropy"])
def exits(request: pytest.FixtureRequest) -> list[Exit]:
    kind, limit = request.param, {"probability": 0.9, "margin": 0.8, "entropy": 0.75}[request.param]
    return [exit_at("r", 0, 4 * 4, (2, 2), limit, kind), exit_at("p", 1, 4 * 16, None, limit, kind)]


def test_a_head_that_gives_no_number_is_not_sure(exits: list[Exit]) -> None:
    """Sums beyond float32 are infinite in the first head alone: the sample goes on, as where exits were chosen."""
    model, first = convolution(), exits[0]
    graph = load(model)
    assert run_pass(graph, make([replace(first, weight=np.float32(3e38) * np.sign(first.weight), threshold=0.0)]), Context()) == 1
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    with np.errstate(all="ignore"):
        made = interpret(graph, {"x": 10 * x})
    assert made["y.exit"][0] == 1
    np.testing.assert_array_equal(made["y"], interpret(load(model), {"x": 10 * x})["y"])


@pytest.mark.parametrize("seed", range(6))
def test_each_sample_leaves_where_it_should(exits: list[Exit], seed: int) -> None:
    model = convolution()
    plain, graph = load(model), load(model)
    assert run_pass(graph, make(exits), Context()) == 2
    verify(graph)
    x = {"x": (0.3 * seed * np.random.default_rng(seed).standard_normal((1, 3, 8, 8))).astype(np.float32)}
    known = interpret(plain, x, keep=["r", "p"])
    wanted, where = known["y"], 2
    for exit_ in reversed(exits):
        logits = answer(exit_, known[exit_.value])
        if sure(logits, exit_.confidence) >= exit_.threshold:
            wanted, where = logits, exit_.number
    for found in (interpret(graph, x), runtime_oracle.run(export(graph), x), assemble(graph, host()).run(x)):
        assert found["y.exit"] == [where]
        np.testing.assert_allclose(found["y"], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_hierarchical_exit_hears_the_one_before_it(seed: int) -> None:
    """Three exits: each adds its share of what the one before it said, which in turn had heard the first."""
    model = convolution()
    graph, plain = load(model), load(model)
    heads = [
        exit_at("c", 0, 4 * 4, (2, 2), 0.999),
        replace(exit_at("r", 1, 4 * 4, (2, 2), 0.9), earlier=0.5),
        replace(exit_at("p", 2, 4 * 16, None, 0.3), earlier=0.25),
    ]
    x = {"x": (0.3 * np.random.default_rng(seed).standard_normal((1, 3, 8, 8))).astype(np.float32)}
    known = interpret(plain, x, keep=["c", "r", "p"])
    said: list[Array] = []
    for head in heads:
        own = answer(head, known[head.value])
        said.append(own + head.earlier * said[-1] if said else own)
    sure_at = [k for k, head in enumerate(heads) if sure(said[k], head.confidence) >= head.threshold]
    where = [*sure_at, 3][0]
    assert run_pass(graph, make(heads), Context()) == 3
    verify(graph)
    for found in (interpret(graph, x), runtime_oracle.run(export(graph), x), assemble(graph, host()).run(x)):
        assert found["y.exit"] == [where]
        np.testing.assert_allclose(found["y"], [*said, known["y"]][where], rtol=1e-4, atol=1e-4)


def test_a_head_with_a_layer_in_front() -> None:
    model, x = convolution(), {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
    maps = interpret(load(model), x, keep=["r"])["r"]
    hidden = Hidden(Grid((2, 2)), RNG.standard_normal((16, 6)), RNG.standard_normal(6))
    seen = maps.reshape(4, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(1, -1) @ hidden.weight + hidden.bias
    convolved = Convolved(Grid((4, 4)), RNG.standard_normal((5, 4, 3, 3)), RNG.standard_normal(5), 1)
    cells = maps.reshape(4, 4, 2, 4, 2).mean(axis=(2, 4))
    windows = np.lib.stride_tricks.sliding_window_view(cells, (3, 3), axis=(1, 2))
    walked = np.einsum("crsij,ucij->urs", windows, convolved.weight) + convolved.bias[:, None, None]
    kinds: list[tuple[Features, Array]] = [(hidden, seen), (convolved, walked.reshape(1, -1))]
    for features, before in kinds:
        graph, head = load(model), replace(exit_at("r", 0, before.size, None, 0.0), features=features)
        wanted = np.maximum(before, 0) @ head.weight + head.bias
        assert run_pass(graph, make([head]), Context()) == 1
        verify(graph)
        for found in (interpret(graph, x), runtime_oracle.run(export(graph), x), assemble(graph, host()).run(x)):
            np.testing.assert_allclose(found["y"], wanted, rtol=1e-4, atol=1e-4)


def test_thresholds_decide(exits: list[Exit]) -> None:
    x = {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
    for threshold, place in ((0.0, 0), (2.0, 2)):
        graph = load(convolution())
        changed = [replace(e, threshold=threshold) for e in exits]
        run_pass(graph, make(changed), Context())
        assert assemble(graph, host()).run(x)["y.exit"] == [place]


def test_a_second_run_changes_nothing(exits: list[Exit]) -> None:
    graph = load(convolution())
    pass_ = make(exits)
    assert (run_pass(graph, pass_, Context()), run_pass(graph, pass_, Context())) == (2, 0)


def declined(graph: Graph, exit_: Exit) -> str:
    context = Context()
    assert run_pass(graph, make([exit_]), context) == 0
    return context.declined[-1][2]


def test_exits_come_together_or_not_at_all() -> None:
    """One that cannot be put in leaves no head of another behind: behind ``c`` lie both outputs, behind ``p`` only one."""
    graph, context = load(convolution()), Context()
    kept = [repr(node) for node in graph.nodes]
    graph.outputs = [*graph.outputs, next(node for node in graph.nodes if node.op == "Relu").output]
    exits = [exit_at("c", 0, 4 * 4, (2, 2), 0.5), replace(exit_at("p", 1, 64, None, 0.5), earlier=0.5)]
    assert run_pass(graph, make(exits), context) == 0 and "several outputs" in context.declined[-1][2]
    assert [repr(node) for node in graph.nodes] == kept
    absent = [exit_at("nowhere", 0, 4 * 4, (2, 2), 0.5), exits[1]]
    assert run_pass(load(convolution()), make(absent), context) == 0 and "no value 'nowhere'" in context.declined[-1][2]


def test_what_leaves_has_the_shape_of_the_output() -> None:
    text = """<ir_version: 9, opset_import: ["" : 17]> maps (float[1,2,4,4] x) => (float[1,5,1,1] y)
      <float[2,2,1,1] w = {1, 2, 3, 4}, float[5,2,1,1] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0}>
      { u = Conv(x, w) r = Relu(u) q = Conv(r, v) y = GlobalAveragePool(q) }"""
    x = {"x": RNG.standard_normal((1, 2, 4, 4)).astype(np.float32)}
    for threshold, place in ((0.0, 0), (2.0, 1)):
        graph = load(parser.parse_model(text))
        run_pass(graph, make([replace(exit_at("r", 0, 8, (2, 2), threshold), shape=(1, 5, 1, 1))]), Context())
        verify(graph)
        for found in (interpret(graph, x), runtime_oracle.run(export(graph), x), assemble(graph, host()).run(x)):
            assert found["y"].shape == (1, 5, 1, 1) and found["y.exit"] == [place]


def test_a_batch_is_left_alone() -> None:
    assert "single sample" in declined(load(convolution(batch=2)), exit_at("p", 0, 64, None, 0.5))


def test_what_needs_more_than_the_value_is_left_alone() -> None:
    graph = load(convolution())
    relu = next(node for node in graph.nodes if node.op == "Relu")
    graph.outputs = [*graph.outputs, relu.output]
    assert "more than its output" in declined(graph, exit_at("p", 0, 64, None, 0.5))


@pytest.mark.parametrize("places", [("p",), ("r", "p")])
def test_a_first_part_gives_its_answer_or_what_the_next_one_needs(places: tuple[str, ...]) -> None:
    """The part ends at ``p``: where a sample does not leave, the last head's answer stands beside it for whoever cannot go on."""
    x = {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
    for threshold, number in ((0.0, 0), (2.0, -len(places))):
        graph = load(convolution())
        known = interpret(graph, x, keep=["r", "p"])
        pool = next(node for node in graph.nodes if node.output.name == "p")
        graph.outputs = [pool.output]
        run_pass(graph, PASS, Context())
        heads = [exit_at(v, i, 4 * 4, (2, 2), threshold) for i, v in enumerate(places)]
        assert run_pass(graph, make(heads, "y"), Context()) == len(heads)
        verify(graph)
        asked = heads[max(number, -1 - number)]
        wanted = answer(asked, known[asked.value])
        for found in (interpret(graph, x), assemble(graph, host()).run(x)):
            assert list(found) == ["y", "y.exit", "p"] and found["y.exit"] == [number]
            np.testing.assert_allclose(found["y"], wanted, rtol=1e-4, atol=1e-4)
            if number < 0:
                np.testing.assert_allclose(found["p"], known["p"], rtol=1e-4, atol=1e-4)


def test_a_network_that_is_cut_short_ends_in_the_head() -> None:
    graph, x = load(convolution()), {"x": RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)}
    head = exit_at("p", 0, 4 * 16, None, 2.0)
    short = shortened(graph, head)
    verify(short)
    np.testing.assert_allclose(interpret(short, x)["y"], answer(head, interpret(graph, x, keep=["p"])["p"]), rtol=1e-4, atol=1e-4)
    assert [value.name for value in graph.outputs] == ["y"] and len(short.nodes) < len(graph.nodes) + 2
