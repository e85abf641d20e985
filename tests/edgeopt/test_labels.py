"""Labels: the forms that are understood, one message for every other, and float models that know no more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import parser

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.chance import check_labels, check_reference
from edgeopt.evaluate.data import DataSet, admit, read
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph, TensorType, Value

CLASSES, SAMPLES = 5, 60
HEAD = '<ir_version: 10, opset_import: ["" : 21]> g (float[1,5] x)'


def graph() -> Graph:
    return load(parser.parse_model(f"{HEAD} => (float[1,5] y) {{ y = Relu(x) }}"))


def right() -> Array:
    return np.arange(SAMPLES) % CLASSES


def samples(labels: Any, name: str = "labels") -> dict[str, Array]:
    x = np.random.default_rng(0).normal(size=(SAMPLES, CLASSES)).astype(np.float32)
    return {"x": x, name: np.asarray(labels)}


def read_from(folder: Path, arrays: dict[str, Array], model: Graph | None = None) -> DataSet:
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
    return read(folder / "data.npz", model or graph())


UNDERSTOOD = {
    "vector": right(),
    "column": right()[:, None],
    "column of columns": right()[:, None, None],
    "one-hot": np.eye(CLASSES)[right()],
    "one-hot int8": np.eye(CLASSES, dtype=np.int8)[right()],
    "one-hot bool": np.eye(CLASSES, dtype=bool)[right()],
    "whole floats": right().astype(np.float32),
    "uint8": right().astype(np.uint8),
}
REFUSED = {
    "from 1": (right() + 1, "run from 1 to 5, the model has 5 classes in 'y': they count from 1; subtract 1"),
    "out of range": (right() * 3, "reach 12, the model has 5 classes in 'y', numbered from 0"),
    "negative": (right() - 1, "hold -1: expected are class numbers from 0"),
    "beyond int64": (right().astype(np.uint64) + np.uint64(2**63), "reach 9223372036854775812: expected are class numbers"),
    "strings": (np.array(list("abcde"))[right()], r"<U1\[60\]: expected are class numbers"),
    "complex": (right() * 1j, "complex128"),
    "NaN": (np.where(right() == 2, np.nan, right()), "NaN or infinity"),
    "infinity": (np.where(right() == 2, np.inf, right()), "NaN or infinity"),
    "fractions": (right() + 0.5, "fractions"),
    "probabilities": (np.full((SAMPLES, CLASSES), 0.2), "fractions"),
    "two hot": (np.eye(CLASSES)[right()] + np.eye(CLASSES)[0], "not every row holds a single 1"),
    "all zero rows": (np.zeros((SAMPLES, CLASSES)), "not every row holds a single 1"),
    "one-hot of fewer classes": (np.eye(4)[right() % 4], "one-hot for 4 classes, the model has 5 classes"),
    "maps": (np.zeros((SAMPLES, 2, 2), np.int64), "not every row"),
    "0-d": (3, "a single number"),
    "shorter": (right()[:-1], "differ in their number of samples: 'x' 60, 'labels' 59"),
    "longer one-hot": (np.eye(CLASSES)[np.arange(61) % CLASSES], "'labels' 61"),
}


@pytest.mark.parametrize("form", UNDERSTOOD)
def test_what_is_understood(form: str, tmp_path: Path) -> None:
    data = read_from(tmp_path, samples(UNDERSTOOD[form]))
    assert data.labels is not None and data.labels.dtype == np.int64 and data.output == "y"
    np.testing.assert_array_equal(data.labels, right())
    again = admit(DataSet(data.arrays, UNDERSTOOD[form]), graph())
    np.testing.assert_array_equal(np.asarray(again.labels), right())


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_refused(form: str, tmp_path: Path) -> None:
    labels, message = REFUSED[form]
    with pytest.raises(EdgeoptError, match=message):
        read_from(tmp_path, samples(labels))


@pytest.mark.parametrize("name", ["label", "Labels", "LABEL", "y_true", "targets", "classes"])
def test_labels_by_another_name_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match=f"has an array '{name}', .*call it 'labels' or leave it out"):
        read_from(tmp_path, samples(right(), name))


def test_an_input_called_labels_is_an_input() -> None:
    text = HEAD.replace("x)", "labels)") + " => (float[1,5] y) { y = Relu(labels) }"
    model = load(parser.parse_model(text))
    data = admit(DataSet({"labels": np.ones((4, 5), np.float32)}), model)
    assert data.labels is None and len(data) == 4


Shapes = dict[str, tuple[str, tuple[int, ...]]]
OUTPUTS: dict[str, tuple[Shapes, str]] = {
    "the second of two": ({"a": ("float32", (1, 3, 4)), "y": ("float32", (1, 5))}, ""),
    "with axes of size 1": ({"y": ("float32", (1, 5, 1, 1))}, ""),
    "the one with enough classes": ({"a": ("float32", (1, 3)), "y": ("float32", (1, 5))}, ""),
    "no classes": ({"y": ("float32", (1, 5, 5))}, "need one output of shape"),
    "a single number": ({"y": ("float32", (1, 1))}, "with two classes or more"),
    "the class itself": ({"y": ("int64", (1,))}, "need one output of shape"),
    "two of them": ({"y": ("float32", (1, 5)), "a": ("float32", (1, 7))}, "fit 'y' and 'a'; keep one of these outputs"),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_the_output_that_has_classes(case: str) -> None:
    outputs, message = OUTPUTS[case]
    model, data = graph(), DataSet({"x": samples(right())["x"]}, right())
    model.outputs[:] = [Value(name, TensorType(dtype, shape)) for name, (dtype, shape) in outputs.items()]
    if message:
        with pytest.raises(EdgeoptError, match=message):
            admit(data, model)
    else:
        assert admit(data, model).output == "y"


def logits(labels: Array, share: float) -> Array:
    """Outputs of a model that is right on about ``share`` of the samples and guesses the others."""
    rng = np.random.default_rng(1)
    made = np.where(rng.random(len(labels)) < share, labels, rng.integers(0, CLASSES, len(labels)))
    return np.asarray(np.eye(CLASSES, dtype=np.float32)[made % CLASSES])


def test_a_model_that_knows_something_passes() -> None:
    assert check_labels(logits(right(), 0.9), right(), False) > 85.0
    assert check_labels(logits(right(), 0.4), right(), False) > 35.0
    skewed = np.where(np.arange(SAMPLES) % 10 == 0, 1, 0)
    assert check_labels(logits(skewed, 1.0), skewed, False) == 100.0
    alike = np.full(4, 3)
    assert check_labels(logits(alike, 1.0), alike, False) == 100.0


@pytest.mark.parametrize("shuffled", [True, False], ids=["shuffled labels", "one answer for all"])
def test_chance_stops_unless_it_is_accepted(shuffled: bool) -> None:
    labels = np.random.default_rng(2).permutation(right())
    outputs = logits(right(), 1.0) if shuffled else np.tile(np.eye(CLASSES, dtype=np.float32)[2], (SAMPLES, 1))
    with pytest.raises(EdgeoptError, match=r"no more than guessing gives.*--accept-chance"):
        check_labels(outputs, labels, False)
    assert check_labels(outputs, labels, True) < 40.0


@pytest.mark.parametrize(("found", "alarms", "knows"), [(4, 1, True), (3, 1, True), (1, 0, False), (0, 0, False), (0, 5, False)])
def test_labels_of_one_class_for_the_most_part_show_who_knows_the_other(found: int, alarms: int, knows: bool) -> None:
    labels = (np.arange(100) < 5).astype(int)
    made = (np.arange(100) < found) | (np.arange(100) >= 100 - alarms)
    outputs = np.eye(2, dtype=np.float32)[made.astype(int)]
    if knows:
        assert check_labels(outputs, labels, False) == 95 + found - alarms
    else:
        with pytest.raises(EdgeoptError, match="no more than guessing gives"):
            check_labels(outputs, labels, False)


def test_few_samples_cannot_tell_chance() -> None:
    outputs = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2]]
    assert check_labels(outputs, np.asarray([3, 1, 4]), False) == pytest.approx(100 / 3)


def test_labels_that_are_off_by_one_are_told_from_chance() -> None:
    labels = np.where(right() == CLASSES - 1, 0, right())
    with pytest.raises(EdgeoptError, match="when 1 is subtracted from every label: they count from 1"):
        check_labels(logits(labels, 1.0), labels + 1, True)
    with pytest.raises(EdgeoptError, match="when 1 is added to every label: the model has a class in front"):
        check_labels(logits(labels + 1, 1.0), labels, False)


def test_a_float_model_that_gives_nan_measures_nothing() -> None:
    outputs = logits(right(), 1.0)
    outputs[3, 1] = np.nan
    with pytest.raises(EdgeoptError, match="gives NaN or infinity for 1 of 60 samples"):
        check_reference(outputs, None, True)
    outputs[3, 1] = -np.inf  # a masked class
    check_reference(outputs, right(), False)


@pytest.mark.parametrize(("x", "message"), [(np.float32(1), "a single number"), (np.empty((0, 5), np.float32), "no samples")])
def test_data_without_samples_is_refused(x: Array, message: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match=message):
        read_from(tmp_path, {"x": np.asarray(x)})


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    arrays = samples(right())
    arrays["x"][[7, 9], 2] = np.nan
    with pytest.raises(EdgeoptError, match=r"array 'x' of '.*data.npz' holds NaN in 2 of 60 samples, the first is sample 7"):
        read_from(tmp_path, arrays)
    with pytest.raises(EdgeoptError, match="holds NaN in 2 of 60 samples"):
        admit(DataSet({"x": arrays["x"]}, right()), graph())
    arrays["x"][[7, 9], 2] = -np.inf  # as in the mask of an attention
    assert len(read_from(tmp_path, arrays)) == SAMPLES
