"""Forms that training alone reaches: few values in layers of bytes, codewords, early exits, and what a search asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.ops.grid import weight_quantizer
from edgeopt.ops.grids import QuantizedWeight
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt.training.stripes import network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training import jointly
from edgeopt.training.narrow import NARROW, ODD, narrowed
from tests.edgeopt.training.test_train import FINETUNE, TEST, TRAIN, accuracy, recipe, weights


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    """A network of 16 channels that knows stripes."""
    folder = tmp_path_factory.mktemp("r")
    return edgeopt.tune(network(width=16, opset=21), TRAIN, recipe(folder, FINETUNE), level=1).onnx()


@pytest.mark.parametrize("form", sorted(NARROW))
def test_the_grid_of_few_codes_errs_least_of_those_tried(form: str) -> None:
    weight = np.random.default_rng(1).standard_normal((4, 40)).astype(np.float32)
    grid = weight_quantizer(np.abs(weight).max(1), "int8", 0)
    made = narrowed(QuantizedWeight(grid.quantize(weight), grid), weight, form)
    low, high = NARROW[form]
    assert set(np.unique(made.codes)) == {code for code in range(low, high + 1) if form not in ODD or code % 2}
    error = np.square(made.array - weight).mean(1)
    for factor in (0.8, 1.25):
        scaled = weight / (factor * made.grid.scale[:, None])
        other = np.clip(2 * np.floor(scaled / 2) + 1 if form in ODD else np.rint(scaled), low, high)
        assert (error <= np.square(other * factor * made.grid.scale[:, None] - weight).mean(1) + 1e-9).all()


@pytest.mark.parametrize(("form", "values"), [("w2a8", 4), ("ternary", 3), ("binary", 2)])
def test_weights_take_few_values_and_the_network_still_knows(form: str, values: int, learned: ModelProto, tmp_path: Path) -> None:
    text = f'epochs = 6\nbatch = 32\nends = "w8a8"\n[forms]\n"*" = "{form}"\n[[phase]]\nkind = "quantize"\n'
    made = edgeopt.tune(learned, TRAIN, recipe(tmp_path, text), level=1, data=TEST)
    inner = next(w for w in codes(made) if w.shape[:2] == (16, 16))
    assert len(np.unique(inner)) == values
    assert made.manifest["quantization"]["after"] >= made.manifest["quantization"]["before"] - 8


def test_what_stands_for_biases_of_a_deep_network_goes_into_its_steps(tmp_path: Path) -> None:
    text = 'epochs = 12\nbatch = 32\nteacher = 0\n[forms]\n"*" = "w4a8"\n[[phase]]\nkind = "quantize"\n'
    made = edgeopt.tune(network(convolutions=5, opset=21), TRAIN, recipe(tmp_path, text), level=1, data=TEST)
    assert made.manifest["quantization"]["after"] > 80


def codes(made: CompiledModel) -> list[np.ndarray]:
    """Integer weights of the compiled model."""
    return [v.array for v in made.graph.constants if v.array is not None and v.array.dtype.kind == "i" and v.array.ndim == 4]


def test_codewords_are_trained_and_looked_up(learned: ModelProto, tmp_path: Path) -> None:
    text = 'epochs = 4\nbatch = 32\nends = "int8"\n[forms]\n"*" = "k16c4"\n[[phase]]\nkind = "lookup"\n'
    made = edgeopt.tune(learned, TRAIN, recipe(tmp_path, text), level=1, data=TEST)
    record = made.manifest["quantization"]
    assert [layer["form"] for layer in record["layers"]] == ["int8", "k16c4", "int8"]
    assert any(node.op == "LookupConv" for node in made.graph.nodes)
    assert record["after"] == pytest.approx(accuracy(made), abs=1e-9) and record["after"] >= record["before"] - 5


def test_codewords_need_their_phase(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="goes with codewords"):
        edgeopt.tune(network(), TRAIN, recipe(tmp_path, '[forms]\n"*" = "k16c4"\n[[phase]]\nkind = "quantize"\n'))


def test_exits_are_trained_with_the_network(learned: ModelProto, tmp_path: Path) -> None:
    text = 'epochs = 6\nbatch = 32\nexits = "exit-margin"\nmax_drop = 5\n[[phase]]\nkind = "exits"\nweight = 1.0\n'
    made = edgeopt.tune(learned, samples(1200), recipe(tmp_path, text), level=1, data=TEST)
    name = next(out.name for out in made.outputs if out.name.endswith(".exit"))
    where = [int(made.run({"x": x[None]})[name].ravel()[0]) for x in TEST.arrays["x"]]
    assert np.mean(np.array(where) == 0) > 0.3
    assert made.manifest["quantization"]["after"] == pytest.approx(accuracy(made), abs=1e-9)
    leave = 100 * np.mean(np.array(where) < len(made.manifest["exits"]["exits"]))
    told = f"-> {accuracy(made):.2f} % on the 200 samples of --data, of which {leave:.1f} % leave early"
    heads = [layer for layer in made.manifest["compression"]["layers"] if layer["layer"].startswith("exit")]
    assert heads and all(head["bytes"] > 0 for head in heads)
    assert any("held out of the training file" in line and told in line for line in made.manifest["notes"])


def test_a_search_trains_where_its_form_loses_too_much(learned: ModelProto) -> None:
    """Nine of ten weights go: without training that loses much, with it the budget is kept."""
    data = samples(200, seed=2)
    without = edgeopt.compile(learned, 1, data=data, max_drop=3, options=edgeopt.Options(forms="unstructured-90"))
    options = edgeopt.Options(forms="unstructured-90", train=samples(1200))
    made = edgeopt.compile(learned, 1, data=data, max_drop=3, options=options)
    few, more = (sum(np.count_nonzero(w) for w in weights(each)) for each in (made, without))
    assert few <= 0.102 * sum(w.size for w in weights(without)) and few < more
    assert {layer["form"] for layer in without.manifest["quantization"]["layers"]} != {"unstructured-90"}
    assert any("lost too much without" in line for line in made.manifest["notes"])
    record = made.manifest["quantization"]
    assert record["before"] - record["after"] <= 3


def test_a_search_for_few_bytes_trains_for_fewer(learned: ModelProto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jointly, "EPOCHS", 6.0)
    monkeypatch.setattr(jointly, "SHARES", (0.6,))
    made, without = (
        edgeopt.compile(learned, 3, data=TEST, max_drop=3, options=edgeopt.Options(prefer="size", train=train))
        for train in (samples(1200), None)
    )
    few, more = (m.manifest["compression"]["bytes"] for m in (made, without))
    assert few < 0.9 * more and any("trained with" in line for line in made.manifest["notes"]), made.manifest["notes"]
    record = made.manifest["quantization"]
    assert record["after"] == pytest.approx(accuracy(made), abs=1e-9)
    assert record["before"] - record["after"] <= 3 and record["reach"] is not None


def test_a_joint_search_for_time_does_not_train(learned: ModelProto) -> None:
    with pytest.raises(EdgeoptError, match="--train prunes and shares further: give --prefer size"):
        edgeopt.compile(learned, 3, data=TEST, options=edgeopt.Options(prefer="speed", train=TRAIN))


def test_what_no_phase_trains_is_refused_before_the_search(learned: ModelProto) -> None:
    with pytest.raises(EdgeoptError, match="no phase trains 'exit-margin'"):
        edgeopt.compile(learned, 1, data=TEST, options=edgeopt.Options(forms="exit", train=TRAIN))


def test_data_without_labels_is_followed_alone(learned: ModelProto, tmp_path: Path) -> None:
    text = 'epochs = 2\nbatch = 32\n[forms]\n"*" = "w4a4"\n[[phase]]\nkind = "quantize"\n'
    made = edgeopt.tune(learned, DataSet(TRAIN.arrays), recipe(tmp_path, text), level=1, data=DataSet(TEST.arrays))
    assert made.manifest["quantization"]["agreement"] >= 85


@pytest.mark.parametrize("form", ["w2a8", "binary"])
def test_channels_of_zeros_have_steps(form: str, tmp_path: Path) -> None:
    """They were next to nothing, which XLA takes for nothing: the loss was NaN from the start."""
    model = network()
    weight = next(each for each in model.graph.initializer if each.name == "w1")
    array = numpy_helper.to_array(weight).copy()
    array[3] = 0
    weight.CopyFrom(numpy_helper.from_array(array, "w1"))
    text = f'epochs = 1\nbatch = 32\n[forms]\n"*" = "{form}"\n[[phase]]\nkind = "quantize"\n'
    made = edgeopt.tune(model, TRAIN, recipe(tmp_path, text), level=1)
    assert np.isfinite(made.run({"x": TRAIN.arrays["x"][:1]})["y"]).all()
