"""Networks that training was not made for: it works, or one message says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper, parser

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.pipeline import optimize
from tests.edgeopt.small_models import info
from tests.edgeopt.training import stripes

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.losses import loss_of
from edgeopt.training.network import require_trainable

HEAD = '<ir_version: 10, opset_import: ["" : 21]> small '
REFUSED = {
    "(float16[1,4] x) => (float16[1,2] y) <float16[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}> { y = MatMul(x, w) }": "compute in float16",
    "(double[1,2] x) => (double[1,2] y) <double[2,2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }": "compute in float64",
    "(float[1,2] x) => (float[1,2] y) <float s = {0.1}, uint8 z = {128}, int8[2,2] w = {1, 2, 3, 4}, int8 o = {0}>"
    "{ q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) v = DequantizeLinear(w, s, o) y = MatMul(d, v) }": (
        "have a form already"
    ),
    "(float[1,2] x) => (float[1,2] y) { y = Relu(x) }": "no convolution or matrix product",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_has_no_layers_to_train_says_what_it_has(text: str) -> None:
    graph = load(parser.parse_model(HEAD + text))
    optimize(graph)
    with pytest.raises(EdgeoptError, match=REFUSED[text]):
        require_trainable(graph)


def test_outputs_beside_the_one_that_labels_belong_to_are_followed() -> None:
    """Pruning by the gradients of one output alone would take from the other what it needs."""
    text = "(float[1,2] x) => (float[1,6] y, float[1,2] z, int64[1,1] k)"
    text += " { y = Concat<axis = 1>(x, x, x) z = Relu(x) k = ArgMax<axis = 1>(x) }"
    graph = load(parser.parse_model(HEAD + text))
    loss = loss_of(graph, DataSet({}, np.array([0]), "y"))
    assert loss.names == ["y", "z"]
    y, z, label = np.ones((1, 6), np.float32), np.ones((1, 2), np.float32), np.array([0])
    same, other = (float(loss.whole([y, made], [y, z], label)) for made in (z, 3 * z))
    np.testing.assert_allclose(other - same, 4.0, rtol=1e-4)


def test_a_second_output_stays_what_it_was(tmp_path: Path) -> None:
    """Pruned to 15 % by labels of the first one; where the second was not followed, a ninth of its energy was missing."""
    proto, test = stripes.network(width=16), stripes.samples(100, seed=1)
    weight = np.random.default_rng(5).standard_normal((16, 2)).astype(np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(weight, "second"))
    proto.graph.node.append(helper.make_node("MatMul", ["f", "second"], ["z"], "other"))
    proto.graph.output.append(info("z", [1, 2]))
    text = 'epochs = 10\nbatch = 32\n[[phase]]\nkind = "prune"\nkeep = 0.15\nrate = 0.005\n'
    (tmp_path / "recipe.toml").write_text(text)
    train = stripes.samples(600)
    made = edgeopt.tune(proto, DataSet(train.arrays, train.labels, "y"), tmp_path / "recipe.toml", level=1)
    before, after = (
        np.concatenate([m.run({"x": x[None]})["z"] for x in test.arrays["x"]]) for m in (edgeopt.compile(proto), made)
    )
    assert np.mean(np.square(after - before)) < 0.03 * np.mean(np.square(before))


def test_a_network_that_only_follows_itself_is_pruned_by_magnitude_at_first(tmp_path: Path) -> None:
    """It loses nothing until weights go, so no gradient tells what they are worth."""
    text = "(float[1,8] x) => (float[1,4] y) { h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }"
    model = parser.parse_model(HEAD + text)
    rng = np.random.default_rng(0)
    for name, shape in (("w", (8, 16)), ("v", (16, 4))):
        model.graph.initializer.append(numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name))
    (tmp_path / "few.toml").write_text('epochs = 2\nbatch = 16\n[[phase]]\nkind = "prune"\nkeep = 0.25\n')
    data = DataSet({"x": rng.standard_normal((64, 8)).astype(np.float32)})
    made = edgeopt.tune(model, data, tmp_path / "few.toml")
    assert sum(layer["kept"] for layer in made.manifest["compression"]["layers"]) <= 0.3 * 192


def test_a_structure_that_replaces_nothing_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "low.toml"
    recipe.write_text('epochs = 1\nbatch = 16\nstructure = "low_rank"\n[[phase]]\nkind = "finetune"\n')
    text = "(float[1,4] x) => (float[1,3] y) { y = MatMul(x, w) }"
    model = parser.parse_model(HEAD + text)
    model.graph.initializer.append(numpy_helper.from_array(np.ones((4, 3), np.float32), "w"))
    data = DataSet({"x": np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)})
    with pytest.raises(EdgeoptError, match="structure 'low_rank'.*; name another structure, or a recipe without one"):
        edgeopt.tune(model, data, recipe)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_weights_that_hold_no_numbers_are_named(odd: float) -> None:
    """The loss was NaN in some step, and a smaller rate advised."""
    model = parser.parse_model(HEAD + "(float[1,4] x) => (float[1,3] y) { y = MatMul(x, w) }")
    weight = np.ones((4, 3), np.float32)
    weight[1, 1] = odd
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    graph = load(model)
    optimize(graph)
    with pytest.raises(EdgeoptError, match="a weight holds NaN or infinity; repair the model"):
        require_trainable(graph)


def test_a_network_whose_outputs_are_no_numbers_is_not_told_of_the_rate() -> None:
    text = "(float[1,4] x) => (float[1,3] y) { h = MatMul(x, w) l = Log(h) y = MatMul(l, v) }"
    model = parser.parse_model(HEAD + text)
    for name, shape in (("w", (4, 4)), ("v", (4, 3))):
        model.graph.initializer.append(numpy_helper.from_array(-np.ones(shape, np.float32), name))
    data = DataSet({"x": np.random.default_rng(0).random((64, 4)).astype(np.float32)})
    with pytest.raises(EdgeoptError, match="before anything is trained in 'finetune': the network computes no finite numbers"):
        edgeopt.tune(model, data, batch=16, epochs=1)
