"""Codewords are fitted to responses: less error than k-means of the weight. The network that was judged is the one that runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from edgeopt.assembly import assemble
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay, observe
from edgeopt.forms.applied import applied
from edgeopt.forms.form import Evidence, Form
from edgeopt.forms.moments import Moments, cut
from edgeopt.forms.product_quantize.rates import RATES
from edgeopt.forms.product_quantize.reconstruct import parts_of, reconstruct
from edgeopt.forms.product_quantize.session import INT8, ProductSession, suits
from edgeopt.forms.product_quantize.solve import Seen, solve
from edgeopt.forms.product_quantize.technique import ProductQuantize
from edgeopt.forms.quantize.technique import plain_session
from edgeopt.frontend import load
from edgeopt.ir import OWN_DOMAIN, Array, Attribute, Graph, Node, TensorType, Value
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.grids import linear_nodes
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.stored import layer_bytes
from edgeopt.target import target
from tests.edgeopt.small_models import info, model, weight

LESS = 0.75  # of the error of k-means


@dataclass(frozen=True)
class Layer:
    """A node and what it reads: ``rows`` of inputs as its weight multiplies them."""

    node: Node
    rows: Array

    def error(self, made: Array, bias: Array | None) -> float:
        """Of the response, relative to its variation."""
        weight = self.node.constant(1)
        assert weight is not None
        exact, other = (self.rows @ w.reshape(len(w), -1).T for w in (weight, made))
        lost = other + (0 if bias is None else bias) - exact
        return float(np.linalg.norm(lost) / np.linalg.norm(exact - exact.mean(axis=0)))

    @property
    def seen(self) -> Seen:
        """What calibration finds on half of the rows."""
        half = self.rows[::2]
        mean = half.mean(axis=0)[None]
        return Seen(Moments((half.T @ half / len(half))[None], mean, mean), half[None, :128], float(self.rows.max()) / 255)


@pytest.fixture(scope="module")
def layer() -> Layer:
    """A 3x3 convolution of 16 channels, whose inputs are alike."""
    rng, graph = np.random.default_rng(0), Graph("one", opsets={"": 21, "ai.edgeopt": 1})
    x = Value("x", TensorType("float32", (1, 16, 8, 8)))
    constants = [graph.constant("w", rng.standard_normal((48, 16, 3, 3)).astype(np.float32))]
    constants.append(graph.constant("b", np.zeros(48, np.float32)))
    attributes: dict[str, Attribute] = {"pads": [1, 1, 1, 1]}
    result = TensorType("float32", (1, 48, 8, 8))
    node = graph.make("FusedConv", [x, *constants], [result], None, OWN_DOMAIN, "conv", attributes)
    hidden, mix = rng.standard_normal((4000, 40)), rng.standard_normal((40, 144)) * 0.3
    return Layer(node, np.maximum(hidden @ mix + rng.standard_normal((4000, 144)), 0))


@pytest.mark.parametrize("key", RATES)
def test_error_correction_lowers_the_error_of_the_response(layer: Layer, key: str) -> None:
    plain, corrected = (solve(layer.node, RATES[key], layer.seen, correct=correct) for correct in (False, True))
    assert plain.stored == corrected.stored
    errors = [layer.error(made.array, made.bias) for made in (plain, corrected)]
    assert errors[1] < LESS * errors[0]


@pytest.mark.parametrize("kept", [47, 0])
def test_channels_of_zeros_stay_silent_and_keep_their_bias(layer: Layer, kept: int) -> None:
    weight, bias = layer.node.constant(1), np.arange(48, dtype=np.float32)
    assert weight is not None
    graph, zeros = Graph("one", opsets={"": 21, "ai.edgeopt": 1}), weight.copy()
    zeros[kept:] = 0
    inputs = [layer.node.input(0), graph.constant("w", zeros), graph.constant("b", bias)]
    node = graph.make("FusedConv", inputs, [layer.node.output.type], None, OWN_DOMAIN, "conv", layer.node.attributes)
    made = solve(node, RATES["k16c4"], layer.seen)
    reach = np.abs(weight).max()
    assert np.abs(made.array[kept:]).max() < (0.01 * reach if kept else 1e-6) and made.bias is not None
    assert np.abs(made.bias[kept:] - bias[kept:]).max() < 0.05 * reach
    assert (np.abs(made.bias) < 2**31 * made.scale * layer.seen.scale * 2**made.shift).all()


def test_two_additive_codebooks_err_less_than_narrow_sub_spaces(layer: Layer) -> None:
    made = {key: solve(layer.node, RATES[key], layer.seen) for key in ("k16c2", "2k16c4")}
    errors = {key: layer.error(m.array, m.bias) for key, m in made.items()}
    assert errors["2k16c4"] < errors["k16c2"]


def network() -> ModelProto:
    """Two convolutions and a product that suit, with a sum between them."""
    nodes = [
        helper.make_node("Conv", ["x", "v", "a"], ["h"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["h"], ["i"], "relu"),
        helper.make_node("Conv", ["i", "w", "b"], ["c"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "i"], ["s"], "sum"),
        helper.make_node("Relu", ["s"], ["r"], "rectified"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "g", "d"], ["y"], "gemm"),
    ]
    constants = [weight("v", 32, 3, 3, 3), weight("a", 32), weight("w", 32, 32, 3, 3), weight("b", 32)]
    constants += [weight("g", 32, 16), weight("d", 16)]
    return model(nodes, [info("x", [1, 3, 8, 8])], [info("y", [1, 16])], constants)


def test_the_network_that_runs_is_the_one_that_was_judged() -> None:
    graph = load(network())
    optimize(graph, 1, Context(level=1))
    data = DataSet({"x": np.random.default_rng(0).standard_normal((24, 3, 8, 8)).astype(np.float32)})
    evidence = Evidence(graph, data)
    session = ProductSession(ProductQuantize(), evidence, ["2k16c4", INT8], plain_session(evidence, "w8a8"))
    offers = session.offers()
    assert {name: [f.key for f in forms] for name, forms in offers.items()} == {
        n.name: ["2k16c4", INT8] if suits(n) else [INT8] for n in graph.nodes if n.name in offers
    }
    forms = {name: Form("product_quantize", offer[0].key) for name, offer in offers.items()}
    solution = session.solve(forms, Overlay())
    made = applied(graph, [(session, solution)], Context(level=1))
    assert [n.op for n in made.nodes if n.op.startswith("Lookup")] == ["LookupConv", "LookupGemm"]
    products, tables, sums = 64 * 32 * 32 * 9 + 32 * 16, (64 * 32 + 32) * 2 * 16, (64 * 32 * 8 * 9 + 16 * 8) * 2
    assert session.remarks(made)[0].endswith(f"a theoretical speed-up of {products / (tables + sums):.1f}")
    overlay = session.overlay(solution)
    stored = {layer.layer: layer for layer in layer_bytes(graph, list(forms), overlay)}
    for name, codewords in solution.tables.items():
        assert stored[name].kept == stored[name].weights == codewords.array.size
        assert stored[name].bytes < 1.1 * codewords.stored + 64 and stored[name].value_bits <= 2
    judged = observe(graph, ["y"], data, overlay)["y"]
    exact = observe(graph, ["y"], data)["y"]
    compiled = assemble(made, target("host"), 1)
    ran = np.concatenate([compiled.run({"x": x[None]})["y"] for x in data.arrays["x"]])
    assert np.linalg.norm(ran - judged) < 0.02 * np.linalg.norm(judged)  # tables of bytes
    assert 0 < np.linalg.norm(judged - exact) < 0.1 * np.linalg.norm(exact)


def test_without_samples_it_says_what_to_do() -> None:
    with pytest.raises(EdgeoptError, match="--data"):
        ProductQuantize().open(Evidence(load(network())), ["k16c4"])


def test_what_was_stopped_goes_on_with_the_next_layer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    solved = list[str]()

    def recorded(node: Node, *known: Any, **how: Any) -> LookupWeight:
        if node.name == stop:
            raise KeyboardInterrupt
        solved.append(node.name)
        return solve(node, *known, **how)

    def found(cache: str) -> dict[str, LookupWeight]:
        monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / cache))
        plan = plain_session(Evidence(graph, data), "w8a8").solve({n: Form("quantize", "w8a8") for n in names}, Overlay())
        return reconstruct(graph, data, [n for n in linear_nodes(graph) if suits(n)], RATES["k16c4"], plan, Overlay())

    monkeypatch.setattr("edgeopt.forms.product_quantize.reconstruct.solve", recorded)
    graph = load(network())
    optimize(graph, 1, Context(level=1))
    data = DataSet({"x": np.random.default_rng(0).standard_normal((24, 3, 8, 8)).astype(np.float32)})
    names, stop = [n.name for n in linear_nodes(graph)], ""
    whole, stop = found("whole"), names[2]
    with pytest.raises(KeyboardInterrupt):
        found("stopped")
    stop = ""
    resumed = found("stopped")
    assert solved == [*names[1:], names[1], names[2]] and list(resumed) == list(whole) == names[1:]
    for name, made in resumed.items():
        assert (made.channels, made.shift, made.dense) == (whole[name].channels, whole[name].shift, whole[name].dense)
        for ours, theirs in ((made.codes, whole[name].codes), (made.books, whole[name].books), (made.bias, whole[name].bias)):
            np.testing.assert_array_equal(ours, theirs)


def test_a_wide_layer_is_corrected_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that go together lie in one part; the error of the response falls although parts know nothing of one another."""
    rng, graph = np.random.default_rng(0), Graph("one", opsets={"": 21, "ai.edgeopt": 1})
    x = Value("x", TensorType("float32", (1, 96)))
    constants = [rng.standard_normal((96, 64)).astype(np.float32), np.ones(64, np.float32)]
    inputs = [x, *(graph.constant("c", c) for c in constants)]
    node = graph.make("FusedGemm", inputs, [TensorType("float32", (1, 64))], None, OWN_DOMAIN, "wide")
    monkeypatch.setattr("edgeopt.forms.product_quantize.reconstruct.MOST_COLUMNS", 64)
    monkeypatch.setattr("edgeopt.forms.product_quantize.reconstruct.NEIGHBOURS", 40)
    assert parts_of(node, 4) == 3
    hidden, mix = rng.standard_normal((3, 4000, 8)), rng.standard_normal((3, 8, 32))
    rows = np.concatenate(list(np.maximum(hidden @ mix, 0)), axis=1)
    parts = cut(rows[None, ::2], 3)
    moments = Moments(np.stack([p.T @ p for p in parts]) / 2000, parts.mean(axis=1), parts.mean(axis=1), rows=2000)
    seen, exact, errors = Seen(moments, parts[:, :128], float(rows.max()) / 255, 3), rows @ constants[0], list[float]()
    for correct in (False, True):
        made = solve(node, RATES["k16c4"], seen, correct=correct)
        assert made.array.shape == (96, 64) and made.bias is not None
        errors.append(float(np.linalg.norm(rows @ made.array + made.bias - 1 - exact)))
    assert errors[1] < LESS * errors[0]
