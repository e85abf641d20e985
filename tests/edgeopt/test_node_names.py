"""Every node has a name of its own, whatever the file says: layers are known by it in reports, budgets and options."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

import edgeopt
from edgeopt.frontend import load
from edgeopt.frontend.node_names import NodeNames
from tests.edgeopt import small_models


def chain(*names: str) -> ModelProto:
    """Products called so, with a Relu behind each."""
    weight = numpy_helper.from_array(np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32), "w")
    nodes, last = list[NodeProto](), "x"
    for k, name in enumerate(names):
        nodes.append(helper.make_node("Gemm", [last, "w"], [f"g{k}"], name))
        nodes.append(helper.make_node("Relu", [f"g{k}"], [last := "y" if k == len(names) - 1 else f"r{k}"]))
    return small_models.model(nodes, [small_models.info("x", (1, 16))], [small_models.info("y", (1, 16))], [weight])


def test_names_are_kept_where_they_are_the_first_and_made_where_they_lack() -> None:
    found = [node.name for node in load(chain("", "a", "a", "gemm_0", "", "a")).nodes if node.op == "Gemm"]
    assert found == ["gemm_1", "a", "a_1", "gemm_0", "gemm_2", "a_2"]


def test_nodes_inside_others_count_too() -> None:
    def node(name: str) -> NodeProto:
        return helper.make_node("Relu", ["x"], ["y"], name)

    inner = helper.make_graph([node("relu_0")], "inner", [], [])
    outer = helper.make_graph([helper.make_node("If", ["c"], ["y"], "if", then_branch=inner), node("")], "outer", [], [])
    assert NodeNames(outer).name("", "Relu") == "relu_1"


def test_layers_without_names_are_told_apart() -> None:
    made = edgeopt.compile(chain("", "", ""), options=edgeopt.Options(layer_forms={"gemm_1": "w8"}))
    forms = {layer["layer"]: layer["form"] for layer in made.manifest["quantization"]["layers"]}
    assert forms == {"gemm_1": "w8"}
