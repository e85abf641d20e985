"""Activations of 8 and 16 bits in one network: what a plan says is what integer kernels compute."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from onnx import version_converter

import edgeopt
from edgeopt.evaluate.calibration import calibrate, collect
from edgeopt.evaluate.data import DataSet, read
from edgeopt.evaluate.metrics import agreement
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.frontend import export, load
from edgeopt.interpret import interpret
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.ir.match import dtype_of
from edgeopt.ops.grid import scheme
from edgeopt.ops.grids import QuantizationPlan, grid_groups, linear_nodes, round_weight
from edgeopt.passes import quantize
from edgeopt.pipeline import optimize
from edgeopt.rewrite import Context, run_pass
from edgeopt.search.trials import compiled_outputs
from edgeopt.target import host
from tests.edgeopt.quantizing import variant
from tests.passes.building import closed
from tests.strategies import Draft, Seeded

DTYPES = ("uint8", "int8", "int16", "uint16")


def network() -> Graph:
    """Convolutions, a residual, pools and a matrix: every way in which grids of different width meet."""
    draft = Draft(Seeded(8), 21)
    x = draft.input((1, 3, 12, 10))
    y = draft.own("FusedConv", x, draft.weight(16, 3, 3, 3), draft.weight(16), pads=(1, 1, 1, 1), activation="Relu")
    z = draft.own("FusedConv", y, draft.weight(16, 1, 3, 3), draft.weight(16), pads=(1, 1, 1, 1), group=16, activation="Relu")
    y = draft.own("FusedConv", z, draft.weight(16, 16, 1, 1), draft.weight(16), y, activation="Relu")
    y = draft.op("MaxPool", y, kernel_shape=(2, 2), strides=(2, 2))
    y = draft.own("FusedConv", y, draft.weight(20, 16, 3, 3), draft.weight(20), activation="Relu")
    y = draft.op("Flatten", draft.op("GlobalAveragePool", y))
    return closed(draft, draft.own("FusedGemm", y, draft.weight(20, 10), draft.weight(10)))


def plan_of(graph: Graph, dtypes: list[str], data: DataSet) -> QuantizationPlan:
    """Weights rounded to nearest, and for each group of values a grid of the type drawn for it."""
    nodes = linear_nodes(graph)
    groups = grid_groups(graph, nodes)
    seen = collect(graph, [v.name for g in groups for v in g], data)
    plan = QuantizationPlan({n.name: round_weight(n, "int8", True) for n in nodes})
    for index, group in enumerate(groups):
        grid = calibrate(seen[group[0].name], "minmax", dtypes[index % len(dtypes)])
        plan.activations.update({v.name: grid for v in group})
    return plan


@settings(max_examples=5, phases=[Phase.generate])
@given(dtypes=st.lists(st.sampled_from(DTYPES), min_size=7, max_size=7), seed=st.integers(0, 99))
def test_any_mixture_of_types(dtypes: list[str], seed: int) -> None:
    graph = network()
    x = np.random.default_rng(seed).standard_normal((4, 3, 12, 10)).astype(np.float32)
    name = graph.inputs[0].name
    plan = plan_of(graph, dtypes, DataSet({name: x}))
    wanted = [plan.activations[v.name].dtype for v in (n.input(0) for n in linear_nodes(graph)) if v is not None]
    assert run_pass(graph, quantize.make(plan), Context()) > 0
    (meant,) = interpret(graph, {name: x[:1]}).values()
    optimize(graph)
    assert not any(n.is_own("FusedConv", "FusedGemm") for n in graph.nodes)
    assert [dtype_of(n.input(0)) for n in graph.nodes if n.op in ("QuantConv", "QuantGemm")] == wanted
    (actual,) = edgeopt.compile(graph, level=0).run({name: x[:1]}).values()
    # codes on a coarse grid before the end may differ by one where a sum is rounded at a tie
    np.testing.assert_allclose(actual, meant, rtol=0, atol=0.02 * float(np.abs(meant).max()))


def test_a_network_with_its_worst_layers_in_16_bits(models: Path) -> None:
    """resnet8 with every other layer in 16 bits: the integers mean the plan, and decide as the network in 16 bits does."""
    name = "mlperf_ic_resnet8_cifar10"
    path, held = models / "models" / f"{name}.onnx", Path(os.environ.get("EDGEOPT_DATA", "")) / f"{name}.eval.npz"
    if not held.is_file():
        pytest.skip(f"EDGEOPT_DATA does not name a folder with {held.name}")
    graph = raised(load(path))
    optimize(graph)
    data = read(held, graph).subset(48)
    how = Repairs(adaptive=False, compensate=False, correct_bias=False)
    few = data.subset(16)
    narrow, wide = (make_plan(graph, few, scheme(s), None, "minmax", how) for s in ("w8a8", "w8a16"))
    mixed = dict(narrow.activations)
    for group in grid_groups(graph, linear_nodes(graph))[::2]:
        mixed.update({v.name: wide.activations[v.name] for v in group})
    plan = replace(narrow, activations=mixed)
    made = variant(graph, plan, 1)
    types = {dtype_of(n.input(0)) for n in made.nodes if n.op == "QuantConv"}
    assert types == {"uint8", "int16"} and not any(n.is_own("FusedConv") for n in made.nodes)
    results = {
        kind: compiled_outputs(variant(graph, p, 1), data, host(), 1)
        for kind, p in (("mixed", plan), ("wide", wide), ("narrow", narrow))
    }
    unrounded = replace(narrow, activations={})  # the same weights, nothing else rounded
    real = compiled_outputs(variant(graph, unrounded, 1), data, host(), 1)
    errors = {kind: float(np.abs(result - real).mean()) for kind, result in results.items()}
    assert errors["wide"] < errors["mixed"] < errors["narrow"]
    assert agreement(results["mixed"], real) >= 96
    rounded = clone(graph)
    run_pass(rounded, quantize.make(plan), Context())
    (meant,) = interpret(rounded, {v.name: data.arrays[v.name][:1] for v in graph.inputs}).values()
    np.testing.assert_allclose(results["mixed"][:1], meant, rtol=0, atol=0.01)


def raised(graph: Graph) -> Graph:
    """The graph at the first opset with codes of 16 bits."""
    return load(version_converter.convert_version(export(graph), 21))
