"""Phases of training do what they promise, and a training that was stopped gives the same numbers."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Array
from edgeopt.progress import listening
from edgeopt.runtime.model import CompiledModel
from tests.edgeopt.training.stripes import network, samples

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.checkpoint import Checkpoint, read, require_like, write
from edgeopt.training.train import Progress

TRAIN, TEST = samples(600), samples(200, seed=1)


def accuracy(made: CompiledModel) -> float:
    """On samples that were not trained on, by compiled code."""
    outputs = np.concatenate([made.run({"x": x[None]})["y"] for x in TEST.arrays["x"]])
    assert TEST.labels is not None
    return metrics.accuracy(outputs, TEST.labels)


def recipe(folder: Path, text: str) -> Path:
    """A recipe in a file."""
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def weights(made: CompiledModel) -> list[Array]:
    """All constants of the exported model of two and more axes."""
    arrays = [numpy_helper.to_array(t) for t in made.onnx().graph.initializer]
    return [a for a in arrays if a.ndim >= 2]


FINETUNE = 'epochs = 8\nbatch = 32\nteacher = 0\n[[phase]]\nkind = "finetune"\nrate = 0.01\n'


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> CompiledModel:
    """The network trained in float, by labels alone."""
    return edgeopt.tune(network(), TRAIN, recipe(tmp_path_factory.mktemp("r"), FINETUNE), level=1)


def test_training_in_float_learns(learned: CompiledModel) -> None:
    assert accuracy(learned) >= 85
    assert accuracy(learned) > accuracy(edgeopt.compile(network())) + 10


def test_the_same_seed_gives_the_same_bits(learned: CompiledModel, tmp_path: Path) -> None:
    again = edgeopt.tune(network(), TRAIN, recipe(tmp_path, FINETUNE), level=1)
    assert all(np.array_equal(a, b) for a, b in zip(weights(learned), weights(again), strict=True))


def of_norm(norm: str, made: CompiledModel) -> float:
    """Of all weights; those of output channels are counted for convolutions alone."""
    if norm == "group_lasso":
        return float(sum(np.sqrt(np.square(w).sum((1, 2, 3))).sum() for w in weights(made) if w.ndim == 4))
    return float(sum((np.abs(w) if norm == "l1" else np.square(w)).sum() for w in weights(made)))


@pytest.mark.parametrize(("norm", "factor"), [("l1", 1e-2), ("l2", 3e-2), ("group_lasso", 3e-2)])
def test_what_is_added_to_the_loss_gets_smaller(norm: str, factor: float, learned: CompiledModel, tmp_path: Path) -> None:
    text = f'epochs = 6\nbatch = 32\n[[phase]]\nkind = "finetune"\nrate = 0.01\n{norm} = {factor}\n'
    made = edgeopt.tune(learned.onnx(), TRAIN, recipe(tmp_path, text), level=1)
    assert of_norm(norm, made) < 0.8 * of_norm(norm, learned) and accuracy(made) > 70


def test_pruned_weights_are_zero_and_as_many_as_asked_for(tmp_path: Path) -> None:
    made = edgeopt.tune(
        network(), TRAIN, recipe(tmp_path, 'epochs = 4\nbatch = 32\n[[phase]]\nkind = "prune"\nkeep = 0.25\n'), level=1
    )
    kept = sum(layer["kept"] for layer in made.manifest["compression"]["layers"])
    total = sum(w.size for w in weights(edgeopt.compile(network(), 1)))
    assert abs(kept / total - 0.25) < 0.02


def test_windows_keep_two_of_four(tmp_path: Path) -> None:
    text = 'epochs = 2\nbatch = 32\n[[phase]]\nkind = "prune"\nkeep = 0.5\npattern = "N:4"\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), level=1)
    layer = next(entry for entry in made.manifest["compression"]["layers"] if entry["weights"] == 576)
    assert layer["kept"] == 288


def test_shared_weights_take_few_values_and_zeros_stay_zero(tmp_path: Path) -> None:
    text = 'epochs = 4\nbatch = 32\n[[phase]]\nkind = "prune"\nkeep = 0.5\n[[phase]]\nkind = "share"\nbits = 2\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), level=1)
    large = [w for w in weights(made) if w.size > 500]
    assert large and all(len(np.unique(w)) <= 4 and (w == 0).any() for w in large)
    told = made.manifest["compression"]  # of what was trained, not of the network that was trained from
    assert told["bytes"] < told["model"] and told["bytes"] >= sum(layer["bytes"] for layer in told["layers"]), told


def test_zeros_of_a_layer_with_too_few_weights_to_share_stay_zero(tmp_path: Path) -> None:
    """Half of what was pruned grew again: only layers with tables kept their zeros."""
    text = 'epochs = 2\nbatch = 32\n[[phase]]\nkind = "prune"\nkeep = 0.05\n[[phase]]\nkind = "share"\nbits = 5\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), level=1)
    assert sum(layer["kept"] for layer in made.manifest["compression"]["layers"]) <= 0.06 * (72 + 576 + 24)


def test_mixtures_of_samples_teach_what_the_original_network_says(learned: CompiledModel, tmp_path: Path) -> None:
    text = 'epochs = 8\nbatch = 32\naugmentation = ["mix"]\n[[phase]]\nkind = "finetune"\nrate = 0.01\n'
    made = edgeopt.tune(network(3), TRAIN, recipe(tmp_path, text), data=TEST, level=1, teacher=learned.onnx())
    assert accuracy(made) > accuracy(edgeopt.compile(network(3))) + 10


def test_many_biases_take_few_values_too(tmp_path: Path) -> None:
    text = 'epochs = 1\nbatch = 32\n[[phase]]\nkind = "share"\nbits = 2\nbias_bits = 1\n'
    made = edgeopt.tune(biased(network(width=16)), TRAIN, recipe(tmp_path, text), level=1)
    biases = [numpy_helper.to_array(t) for t in made.onnx().graph.initializer if list(t.dims) == [16]]
    assert len(biases) == 2 and all(len(np.unique(b)) == 2 for b in biases)


def biased(model: ModelProto) -> ModelProto:
    """With biases that differ."""
    rng = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 1:
            made = rng.standard_normal(tensor.dims[0]).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(made, tensor.name))
    return model


def test_quantized_layers_are_integers_in_the_compiled_model(tmp_path: Path) -> None:
    text = 'epochs = 2\nbatch = 32\n[forms]\n"*" = "w8a8"\n[[phase]]\nkind = "quantize"\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), data=TEST, level=1)
    record = made.manifest["quantization"]
    assert [layer["form"] for layer in record["layers"]] == ["w8a8"] * 3
    assert record["after"] == pytest.approx(accuracy(made), abs=1e-9)


def test_normalisation_is_folded_again(tmp_path: Path) -> None:
    deep = network(convolutions=5)
    text = 'epochs = 3\nbatch = 32\n[[phase]]\nkind = "finetune"\nrate = 0.003\n'
    made = edgeopt.tune(deep, TRAIN, recipe(tmp_path, text), data=TEST, level=1)
    assert made.manifest["quantization"]["after"] == pytest.approx(accuracy(made), abs=1e-9)
    assert not any(node.op_type == "BatchNormalization" for node in made.onnx().graph.node)


def test_a_student_follows_its_teacher(learned: CompiledModel, tmp_path: Path) -> None:
    unlabelled = DataSet(TRAIN.arrays)
    text = 'epochs = 16\nbatch = 32\n[[phase]]\nkind = "finetune"\nrate = 0.01\n'
    made = edgeopt.tune(network(3, width=4), unlabelled, recipe(tmp_path, text), data=TEST, level=1, teacher=learned.onnx())
    record = made.manifest["quantization"]
    assert record["before"] == pytest.approx(accuracy(learned), abs=1e-9)
    assert record["after"] >= record["before"] - 15


def test_a_teacher_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = network(width=4)
    other.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 12
    with pytest.raises(EdgeoptError, match="the teacher has 'x'"):
        edgeopt.tune(network(), TRAIN, recipe(tmp_path, FINETUNE), teacher=other)


def test_structures_are_replaced_before_training(tmp_path: Path) -> None:
    text = 'epochs = 1\nbatch = 64\nstructure = "prune_channels"\n[[phase]]\nkind = "finetune"\n'
    made = edgeopt.tune(network(width=16), TRAIN, recipe(tmp_path, text), level=1)
    assert max(w.shape[0] for w in weights(made)) < 16


class Stopped(Exception):
    """What stands for a process that is killed."""


def test_a_training_that_was_stopped_ends_in_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'epochs = 3\nbatch = 64\n[[phase]]\nkind = "prune"\nkeep = 0.5\n[[phase]]\nkind = "share"\nbits = 3\n'
    path = recipe(tmp_path, text)
    whole = edgeopt.tune(network(), TRAIN, path, level=1)
    monkeypatch.setattr("edgeopt.training.session.SAVE_SECONDS", 0.0)

    for stop in (5, 18):

        def listen(made: Progress, stop: int = stop) -> None:
            if made.step == stop:
                raise Stopped

        with pytest.raises(Stopped):
            edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c", listener=listen)
    again = edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c")
    assert all(np.array_equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))


def test_the_first_step_behind_a_checkpoint_tells_its_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, said = list[Progress](), list[str]()

    def listen(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 5:
            raise KeyboardInterrupt

    for seconds in (0.0, 60.0):
        monkeypatch.setattr("edgeopt.training.session.SAVE_SECONDS", seconds)
        with suppress(KeyboardInterrupt), listening(lambda text, share: said.append(text)):
            edgeopt.tune(network(), TRAIN, recipe(tmp_path, FINETUNE), level=1, checkpoints=tmp_path / "c", listener=listen)
    assert told[5].step > 1 and all(progress.loss > 0 for progress in told)
    gone_on = [text for text in said if "goes on" in text]
    assert gone_on == [f"goes on from step {told[5].step - 1} of {told[5].steps}"]


def renamed(path: Path) -> None:
    """The checkpoint holds an array of a layer that there is not, as where values come in another order in another process."""
    with np.load(path) as found:
        arrays = dict(found)
    arrays["names"][0] = arrays["names"][0].replace("conv", "conw")
    np.savez(path, **arrays)


def test_a_checkpoint_of_other_arrays_does_not_fit(tmp_path: Path) -> None:
    arrays: dict[str, Array] = {"weight of a": np.ones((2, 3)), "step of b": np.zeros(4)}
    write(tmp_path / "c.npz", Checkpoint("this", 3, arrays))
    found = read(tmp_path / "c.npz", "this")
    assert found is not None and found.step == 3 and np.array_equal(found.arrays["weight of a"], np.ones((2, 3)))
    require_like(tmp_path / "c.npz", found, dict(reversed(arrays.items())))
    for change in ({"weight of a": np.ones((3, 2))}, {"step of c": np.zeros(4)}):
        with pytest.raises(EdgeoptError, match="does not fit this training, as in .* of .; remove it"):
            require_like(tmp_path / "c.npz", found, arrays | change)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    text = 'epochs = 1\nbatch = 64\n[[phase]]\nkind = "finetune"\n'
    path = recipe(tmp_path, text)
    edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c")
    with pytest.raises(EdgeoptError, match="of another model, data or recipe"):
        edgeopt.tune(network(1), TRAIN, path, level=1, checkpoints=tmp_path / "c")
    renamed(tmp_path / "c" / "phase-0.npz")
    with pytest.raises(EdgeoptError, match="does not fit this training, as in .*conv0.*; remove it to start anew"):
        edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c")
    (tmp_path / "c" / "phase-0.npz").write_bytes(b"PK broken")
    with pytest.raises(EdgeoptError, match="cannot be read"):
        edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c")


def test_a_checkpoint_of_a_network_with_the_same_weights_is_refused(tmp_path: Path) -> None:
    """Another operator between the layers is another network; it took the weights of the first one, and said nothing."""
    path, other = recipe(tmp_path, 'epochs = 1\nbatch = 32\n[[phase]]\nkind = "finetune"\n'), network()
    next(node for node in other.graph.node if node.name == "relu1").op_type = "Tanh"
    edgeopt.tune(network(), TRAIN, path, level=1, checkpoints=tmp_path / "c")
    with pytest.raises(EdgeoptError, match="of another model"):
        edgeopt.tune(other, TRAIN, path, level=1, checkpoints=tmp_path / "c")


def test_data_that_cannot_be_trained_on_is_refused() -> None:
    x, labels = TRAIN.arrays["x"], TRAIN.labels
    assert labels is not None
    nan = x.copy()
    nan[3, 0, 0, 0] = np.nan
    for data, text in (
        (DataSet({"x": x[:40]}, labels[:40]), "a batch takes 128"),
        (DataSet({"x": nan}, labels), "holds NaN in 1 of 600 samples"),
        (DataSet({"x": np.where(x > 2, np.inf, x)}, labels), "infinite"),
        (DataSet({"x": x}, np.zeros_like(labels)), "a single class"),
        (DataSet({"x": x[:, :, :4]}, labels), "has shape"),
    ):
        with pytest.raises(EdgeoptError, match=text):
            edgeopt.tune(network(), data)


def test_samples_that_were_trained_on_are_noticed(tmp_path: Path) -> None:
    text = 'epochs = 1\nbatch = 64\n[[phase]]\nkind = "finetune"\n'
    made = edgeopt.tune(network(), TRAIN, recipe(tmp_path, text), data=TRAIN.take(slice(0, 50)), level=1)
    assert any("50 of 50 samples to measure on are among those trained on" in line for line in made.manifest["notes"])
