"""Sparsity that is in a model: it is found, used where that pays, and what stays dense says why."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import edgeopt
import edgeopt.search.sparsity as sparsity
from edgeopt.forms.sparse import candidates
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from edgeopt.ir import Array
from edgeopt.ir.block_rows import Block
from edgeopt.options import Debug, Options
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context
from edgeopt.search.stored import constants_bytes
from edgeopt.search.timing import LayerCost, Profile
from edgeopt.search.timing import profiles as timed
from edgeopt.target import host
from tests.drawing import RNG
from tests.kernels.harness import single
from tests.kernels.sparse.test_sparse_products import quantised
from tests.kernels.sparse_harness import thinned

WIDTH, SIZE = 32, 10
WEIGHTS = {"blocks": ((16, 4), 0.2), "half": ((16, 4), 0.6), "scattered": ((1, 1), 0.5), "dense": ((1, 1), 1.0)}


def weight(name: str) -> Array:
    """int8 [32, 32, 3, 3] with zeros as WEIGHTS says."""
    random = np.random.default_rng(3)
    codes = random.integers(1, 127, (WIDTH, WIDTH, 3, 3)) * random.choice([-1, 1], (WIDTH, WIDTH, 3, 3))
    return thinned(codes.astype(np.int8), *WEIGHTS[name], random)


@cache
def model() -> ModelProto:
    """Quantised convolutions as exporters write them, with few blocks, more of them, scattered zeros and none."""
    constants: dict[str, Array] = {
        "s": np.array(0.05, np.float32),
        "z": np.array(100, np.uint8),
        "ws": np.full(WIDTH, 0.002, np.float32),
    }
    constants |= {name: weight(name) for name in WEIGHTS}
    nodes, x = [], "x"
    for name in WEIGHTS:
        nodes += [
            helper.make_node("QuantizeLinear", [x, "s", "z"], [f"q.{name}"]),
            helper.make_node("DequantizeLinear", [f"q.{name}", "s", "z"], [f"x.{name}"]),
            helper.make_node("DequantizeLinear", [name, "ws"], [f"w.{name}"], axis=0),
            helper.make_node("Conv", [f"x.{name}", f"w.{name}"], [f"y.{name}"], pads=[1, 1, 1, 1], name=name),
        ]
        x = f"y.{name}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, WIDTH, SIZE, SIZE]) for n in ("x", x)]
    graph = helper.make_graph(nodes, "sparse", ends[:1], ends[1:], [numpy_helper.from_array(a, n) for n, a in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_zeros_of_an_imported_model_are_used_where_it_pays() -> None:
    dense, sparse = (edgeopt.compile(model(), level) for level in (1, 2))
    ops = {kernel["node"].split("~")[0]: kernel["op"] for kernel in sparse.manifest["kernels"]}
    assert ops["blocks"] == "SparseQuantConv" and ops["dense"] == "QuantConv"
    x = RNG.uniform(-5, 7, (1, WIDTH, SIZE, SIZE)).astype(np.float32)
    expected, result = (next(iter(made.run({"x": x}).values())) for made in (dense, sparse))
    np.testing.assert_array_equal(result, expected)
    assert sparse.manifest["weights_bytes"] < dense.manifest["weights_bytes"]


def test_scattered_zeros_of_a_float_model_are_used() -> None:
    data = {"x": RNG.uniform(-1, 1, (1, 32, 20, 20)).astype(np.float32)}
    weight = thinned(RNG.uniform(-1, 1, (32, 32, 3, 3)).astype(np.float32), (1, 1), 0.01)
    graph = single("Conv", data, [weight], {"pads": [1, 1, 1, 1]})
    expected = next(iter(interpret(graph, data).values()))
    made = edgeopt.compile(graph, 2)
    assert "SparseConv" in {kernel["op"] for kernel in made.manifest["kernels"]}
    np.testing.assert_allclose(next(iter(made.run(data).values())), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("density", "expected"), [(0.1, ((1, 1),)), (0.6, ())])
def test_scattered_codes_of_a_product_are_timed_where_they_are_few(density: float, expected: tuple[Block, ...]) -> None:
    graph = quantised((1,), 256, 256, block=(1, 1), density=density)
    assert list(candidates(graph).values()) == [expected]


def test_a_target_that_is_not_here_is_estimated() -> None:
    made = edgeopt.compile(model(), 2, target="cortex-a72")
    assert "SparseQuantConv" in {kernel["op"] for kernel in made.manifest["kernels"]}


@pytest.mark.parametrize("where", ["cortex-m7", "cortex-m0plus"])
def test_blocks_of_more_vectors_than_there_are_registers_are_no_choice(where: str) -> None:
    """Of a processor without vectors a block of weights takes 16 registers."""
    data = {"x": RNG.uniform(-1, 1, (1, 48)).astype(np.float32)}
    graph = single("MatMul", data, [thinned(RNG.uniform(-1, 1, (48, 32)).astype(np.float32), (1, 16), 0.3)])
    made = edgeopt.compile(graph, 2, target=where)
    assert not {kernel["kernel"] for kernel in made.manifest["kernels"]} & {"sparse_walk.multiply", "csr_conv.multiply"}


@pytest.mark.parametrize("objective", ["latency", "size"])
def test_what_stays_dense_says_why_and_from_where_on_it_would_not(monkeypatch: pytest.MonkeyPatch, objective: str) -> None:
    """Costs that are made up: a line of 20 + 100 d for sparse layers, 60 for dense ones, in time and in bytes."""

    def costs(graphs: object, target: object, level: int, energy: bool = False) -> dict[str, Profile]:
        found = timed(graphs, edgeopt.target.target("cortex-a72"), level)  # type: ignore[arg-type]
        return {
            name: priced({"dense": 60, "16x4": 120 if len(found) > 1 else 70}[name], profile) for name, profile in found.items()
        }

    def priced(price: int, profile: Profile) -> Profile:
        layers = {layer: replace(cost, seconds=price, stored=price) for layer, cost in profile.layers.items()}
        return replace(profile, layers=layers)

    monkeypatch.setattr(sparsity, "profiles", costs)
    context = Context(level=2)
    options = Options(objective=objective, weights="raw", debug=Debug(context))  # type: ignore[arg-type]
    edgeopt.compile(model(), 2, options=options)
    reasons = {node.split("'")[1].split("~")[0]: text for name, node, text in context.declined if name == "sparsify"}
    assert list(reasons) == ["blocks", "half", "scattered"]
    assert ": 2.00 times the dense cost; they would pay below " in reasons["half"]
    assert 0.17 <= int(reasons["half"].split()[-1][:-1]) / 100 <= 0.3
    assert reasons["scattered"] == "50% of its weights are zero, but not so 100% of its 16x4 blocks (at most 95% are timed)"


def test_small_files_count_weights_as_they_are_coded() -> None:
    """Where zeros are coded anyway, numbers of blocks in four bytes each only make a file larger; in memory they are smaller."""
    weight = thinned(RNG.choice(np.array([-0.3, -0.1, 0.1, 0.3], np.float32), (96, 96, 3, 3)), (1, 1), 0.1)
    data = {"x": RNG.uniform(-1, 1, (1, 96, 12, 12)).astype(np.float32)}
    ops, sizes, contexts = {}, {}, {coded: Context(level=2) for coded in (True, False)}
    for coded, context in contexts.items():
        graph = single("Conv", data, [weight], {"pads": [1, 1, 1, 1]})
        optimize(graph)
        sparsity.sparsify(graph, host(), context, "size", coded)
        ops[coded], sizes[coded] = graph.nodes[-1].op, constants_bytes(graph)
        assert all(value.uses for value in graph.constants)
    assert ops == {True: "FusedConv", False: "SparseConv"} and sizes[True] < 0.8 * sizes[False]
    assert ["times the dense cost" in reason for _, _, reason in contexts[True].declined] == [True]
    made = edgeopt.compile(single("Conv", data, [weight], {"pads": [1, 1, 1, 1]}), 2, options=Options(objective="size"))
    assert {kernel["op"] for kernel in made.manifest["kernels"]} & {"FusedConv", "SparseConv"} == {"FusedConv"}


@pytest.mark.parametrize("coded", [True, False])
def test_a_layer_of_zeros_alone_is_stored_or_stays_for_a_reason(coded: bool) -> None:
    graph = single("Conv", {"x": RNG.uniform(-1, 1, (1, 32, 8, 8)).astype(np.float32)}, [np.zeros((32, 32, 3, 3), np.float32)])
    optimize(graph)
    context = Context(level=2)
    sparsity.sparsify(graph, host(), context, "size", coded)
    kept = graph.nodes[-1].op == "FusedConv"
    assert [text.startswith("all of its weights are zero: ") for _, _, text in context.declined] == [True] * kept


def test_a_search_counts_a_layer_as_it_will_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sparse layers take 2 where dense ones take 6, of a network of 30 in all."""

    def costs(graphs: dict[str, object], target: object, level: int, energy: bool = False) -> dict[str, Profile]:
        stored = ("blocks", "half")
        layers = {n: {w: LayerCost(2.0 if "16x4" in n and w in stored else 6.0, 100) for w in WEIGHTS} for n in graphs}
        return {name: Profile(30.0, 400, 0, True, layers[name]) for name in graphs}

    monkeypatch.setattr(sparsity, "profiles", costs)
    graph = dense = load(model())
    optimize(graph)
    (found,) = sparsity.stored_profiles({"pruned": graph}, host(), 2).values()
    assert found.seconds == 30 - 2 * 4 and [found.layers[w].seconds for w in WEIGHTS] == [2, 2, 6, 6]
    monkeypatch.setattr(sparsity, "_coded", lambda graph, layers: dict.fromkeys(layers, 1.0 if graph is dense else 2.0))
    (found,) = sparsity.stored_profiles({"pruned": graph}, host(), 2, coded=True).values()
    assert found.seconds == 30 and [found.layers[w].seconds for w in WEIGHTS] == [6, 6, 6, 6]  # by bytes in the file
