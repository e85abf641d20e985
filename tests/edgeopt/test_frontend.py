"""Import and export of small models: what must be carried across is, and numbers stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.frontend import export, load, notes, save
from edgeopt.interpret import interpret
from edgeopt.ir import Graph, verify
from tests.edgeopt import small_models
from tests.edgeopt.runtime_oracle import run


@pytest.mark.parametrize("name", small_models.ALL)
def test_round_trip_keeps_numbers_and_checks(name: str) -> None:
    original = small_models.ALL[name]()
    graph = load(original)
    verify(graph)
    model = export(graph)
    onnx.checker.check_model(model, full_check=True)
    inputs = small_models.feed(original)
    before, after = run(original, inputs), run(model, inputs)
    for output, array in before.items():
        np.testing.assert_array_equal(array, after[output])


@pytest.mark.parametrize("name", small_models.ALL)
def test_export_of_an_import_of_an_export_changes_nothing(name: str) -> None:
    once = export(load(small_models.ALL[name]()))
    assert export(load(once)) == once


def test_the_given_proto_is_left_untouched() -> None:
    original = small_models.function()
    before = original.SerializeToString(deterministic=True)
    load(original)
    assert original.SerializeToString(deterministic=True) == before


def test_metadata_opset_ir_version_and_producer_are_carried() -> None:
    original = small_models.convolution()
    original.producer_name, original.producer_version, original.ir_version = "somebody", "1.2", 9
    original.metadata_props.add(key="licence", value="mit")
    original.graph.node[1].metadata_props.add(key="layer", value="first")
    original.opset_import.add(domain="ai.onnx.ml", version=3)
    model = export(load(original))
    assert (model.producer_name, model.producer_version, model.ir_version) == ("somebody", "1.2", 9)
    assert {o.domain: o.version for o in model.opset_import} == {"": 17, "ai.onnx.ml": 3}
    assert [(p.key, p.value) for p in model.metadata_props] == [("licence", "mit")]
    assert [(p.key, p.value) for p in model.graph.node[1].metadata_props] == [("layer", "first")]


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12])
def test_old_opsets_are_raised_to_13_with_a_note_and_keep_metadata(opset: int) -> None:
    original = small_models.convolution(opset=opset)
    bias = numpy_helper.from_array(np.ones(5, np.float32), "bias")
    original.graph.initializer.append(bias)
    original.graph.node[4].input.append("bias")
    original.graph.node[0].metadata_props.add(key="layer", value="first")
    graph = load(original)
    assert graph.opset == 13
    assert notes(graph) == [f"opset raised from {opset} to 13"]
    assert graph.nodes[0].metadata == {"layer": "first"}
    inputs = small_models.feed(original)
    np.testing.assert_allclose(interpret(graph, inputs)["y"], run(original, inputs)["y"], rtol=1e-4, atol=1e-4)


def test_initializers_that_are_also_inputs_are_constants() -> None:
    original = small_models.convolution(opset=8)
    original.ir_version = 3
    original.graph.node[4].input.append("bias")
    original.graph.initializer.append(numpy_helper.from_array(np.ones(5, np.float32), "bias"))
    for tensor in original.graph.initializer:
        original.graph.input.append(small_models.info(tensor.name, list(tensor.dims)))
    graph = load(original)
    assert [v.name for v in graph.inputs] == ["x"]
    onnx.checker.check_model(export(graph), full_check=True)


def test_nodes_out_of_order_are_sorted() -> None:
    original = small_models.convolution()
    reordered = list(reversed(original.graph.node))
    shuffled = onnx.ModelProto.FromString(original.SerializeToString())
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(reordered)
    assert str(load(shuffled)) == str(load(original))


def test_captured_values_are_the_same_objects() -> None:
    graph = load(small_models.branches())
    (choose,) = graph.nodes
    assert [inner.nodes[0].inputs for inner in choose.subgraphs] == [[graph.inputs[0], graph.constants[0]]] * 2
    assert len(graph.inputs[0].uses) == 2


def test_a_name_used_again_inside_a_subgraph_stays_its_own_value() -> None:
    original = small_models.branches()
    (node,) = original.graph.node
    inner = next(a.g for a in node.attribute if a.name == "then_branch")
    inner.initializer.append(numpy_helper.from_array(np.full((2, 2), 10, np.float32), "w"))
    graph = load(original)
    verify(graph)
    inputs = {"x": np.zeros((2, 2), np.float32), "flag": np.asarray(True)}
    np.testing.assert_array_equal(interpret(graph, inputs)["y"], np.full((2, 2), 10, np.float32))


def test_functions_are_inlined() -> None:
    graph = load(small_models.function())
    assert [node.op for node in graph.nodes] == ["Mul", "Add", "Mul", "Add"]
    assert not export(graph).functions


@pytest.mark.parametrize(
    ("domain", "op", "reason"),
    [
        ("com.example", "Mystery", "is of the domain 'com.example', which edgeopt does not know"),
        ("ai.onnx.ml", "Scaler", "classical machine learning"),
        (
            "com.microsoft",
            "NhwcMaxPool",
            "whose meaning edgeopt does not know; optimise the model with onnxruntime at ORT_ENABLE_BASIC",
        ),
        ("com.microsoft.nchwc", "Conv", "a layout that onnxruntime chose for one machine; optimise"),
    ],
)
def test_nodes_of_unknown_meaning_are_refused_by_name(domain: str, op: str, reason: str) -> None:
    node = helper.make_node(op, ["x"], ["y"], "mystery", domain=domain)
    original = small_models.model([node], [small_models.info("x", [2])], [small_models.info("y", [2])], domains=[domain])
    with pytest.raises(EdgeoptError, match=f"{domain}.{op} 'mystery'.*{reason}"):
        load(original)


def test_shapes_that_are_computed_become_static() -> None:
    graph = load(small_models.computed_reshape())
    assert str(graph.outputs[0].type) == "float32[2,12]"


def test_four_bit_and_sparse_constants_keep_their_values() -> None:
    packed = helper.make_tensor("q", TensorProto.INT4, [3], [1, -2, 7])
    indices = numpy_helper.from_array(np.asarray([1, 4], np.int64), "at")
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(np.asarray([5, 6], np.float32), "s"), indices, [2, 3])
    nodes = [
        helper.make_node("Cast", ["q"], ["a"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Add", ["s", "a"], ["b"], "add"),
        helper.make_node("Add", ["x", "b"], ["y"], "shift"),
    ]
    original = small_models.model(nodes, [small_models.info("x", [2, 3])], [small_models.info("y", [2, 3])], [packed], opset=21)
    original.ir_version = 10
    original.graph.sparse_initializer.append(sparse)
    graph = load(load_again := export(load(original)))
    assert load_again.graph.initializer[0].data_type == TensorProto.INT4
    expected = np.asarray([[1, 3, 7], [1, 4, 7]], np.float32)
    np.testing.assert_array_equal(interpret(graph, {"x": np.zeros((2, 3), np.float32)})["y"], expected)


def external(folder: Path) -> Path:
    """The wide model in ``folder`` with its weights in a data file."""
    path = folder / "model.onnx"
    onnx.save(_wide(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_external_data_is_read_at_first_need(tmp_path: Path) -> None:
    path = external(tmp_path)
    graph = load(path)
    assert all(v._array is None for v in graph.constants)
    inputs = small_models.feed(_wide())
    np.testing.assert_array_equal(run(export(graph), inputs)["y"], run(str(path), inputs)["y"])
    assert all(v._array is None for v in graph.constants)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(EdgeoptError, match="'weights.bin', which is missing"):
        _ = graph.constants[0].array


def test_save_writes_one_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    graph = load(small_models.convolution())
    save(graph, tmp_path / "out.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["out.onnx"]
    assert str(load(tmp_path / "out.onnx")) == str(graph)


def test_a_large_model_is_saved_with_external_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load(_wide())
    monkeypatch.setattr("edgeopt.frontend.onnx_export.MAX_WEIGHT_BYTES", 1000)
    save(graph, tmp_path / "out.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.onnx", "out.onnx.data"]
    onnx.checker.check_model(str(tmp_path / "out.onnx"), full_check=True)
    again = load(tmp_path / "out.onnx")
    np.testing.assert_array_equal(again.constants[0].array, graph.constants[0].array)


def _wide() -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "matmul")
    inputs, outputs = [small_models.info("x", [1, 40])], [small_models.info("y", [1, 50])]
    return small_models.model([node], inputs, outputs, [small_models.weight("w", 40, 50)])


def test_saving_into_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="cannot write"):
        save(Graph(), tmp_path / "missing" / "out.onnx")


def test_notes_survive_export_and_import() -> None:
    graph = load(small_models.convolution("N"))
    assert notes(graph) == ["input 'x': open batch dimension 'N' set to 1"]
    assert notes(load(export(graph))) == notes(graph)


def test_weights_with_nan_are_noted() -> None:
    original = small_models.convolution()
    broken = numpy_helper.to_array(original.graph.initializer[0]).copy()
    broken[0, 0, 0, 0] = np.nan
    original.graph.initializer[0].CopyFrom(numpy_helper.from_array(broken, "w"))
    assert notes(load(original)) == ["constant 'w' holds NaN; outputs that depend on it will be NaN"]
