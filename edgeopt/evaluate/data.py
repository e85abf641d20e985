"""Labelled samples of a model's inputs, read from npz files and split reproducibly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeopt import npz
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.labels import LABELS, labels_of, might_be_labels
from edgeopt.ir import Array, Graph, numpy_dtype

MAX_CALIBRATION = 512


@dataclass(frozen=True)
class DataSet:
    """``arrays``: input name -> array whose leading axis is the samples. ``labels``: class index of each sample, or None.

    ``output`` names the output of the model that the labels belong to.
    """

    arrays: dict[str, Array]
    labels: Array | None = None
    output: str = ""

    def __len__(self) -> int:
        return min((len(a) for a in self.arrays.values()), default=0)

    def take(self, index: Array | slice) -> DataSet:
        """The samples at ``index``."""
        labels = None if self.labels is None else self.labels[index]
        return replace(self, arrays={k: v[index] for k, v in self.arrays.items()}, labels=labels)

    def subset(self, count: int, seed: int = 0) -> DataSet:
        """At most ``count`` samples, drawn without replacement and kept in their order."""
        if len(self) <= count:
            return self
        chosen = np.random.default_rng(seed).permutation(len(self))[:count]
        return self.take(np.sort(chosen))

    def split(self, seed: int = 0) -> tuple[DataSet, DataSet]:
        """(calibration, evaluation): a random half, at most ``MAX_CALIBRATION`` samples, and the rest.

        Raises EdgeoptError for fewer than two samples.
        """
        if len(self) < 2:
            raise EdgeoptError(f"the data holds {len(self)} samples; two are needed to calibrate on one and evaluate on another")
        order = np.random.default_rng(seed).permutation(len(self))
        cut = min(len(self) // 2, MAX_CALIBRATION)
        return self.take(np.sort(order[:cut])), self.take(np.sort(order[cut:]))


def read(path: str | Path, graph: Graph) -> DataSet:
    """The arrays of an npz file that are called like the inputs of ``graph``, and ``labels`` when there are any.

    Raises EdgeoptError when the file cannot be read, an array is missing, has the wrong type, shape or number of samples, or the
    labels are not understood (``edgeopt.evaluate.labels``).
    """
    found = npz.read(Path(path), [value.name for value in graph.inputs], might_be_labels)
    return _fitting(found, graph, f"'{path}'")


def admit(data: DataSet, graph: Graph) -> DataSet:
    """``data`` that was not read from a file, checked like one."""
    labels = {} if data.labels is None else {LABELS: np.asarray(data.labels)}
    return _fitting({**data.arrays, **labels}, graph, "the data set")


def _fitting(found: Mapping[str, Array], graph: Graph, where: str) -> DataSet:
    arrays = {}
    for value in graph.inputs:
        if value.name not in found:
            raise EdgeoptError(f"{where} has no array for the input '{value.name}'; it has {', '.join(found) or 'none'}")
        arrays[value.name] = _checked(found[value.name], graph, value.name, where)
    labels, output = labels_of(found, graph, where)
    counts = {name: len(a) for name, a in {**arrays, **({} if labels is None else {LABELS: labels})}.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        raise EdgeoptError(f"the arrays of {where} differ in their number of samples: {shown}")
    if not any(counts.values()):
        raise EdgeoptError(f"{where} holds no samples; the leading axis of its arrays is empty")
    return DataSet(arrays, labels, output)


def _checked(array: Array, graph: Graph, name: str, where: str) -> Array:
    type_ = next(v.type for v in graph.inputs if v.name == name)
    if array.ndim == 0:
        raise EdgeoptError(f"array '{name}' of {where} is a single number; its leading axis must count the samples")
    if type_ is None or type_.shape is None:
        return array
    if array.dtype != numpy_dtype(type_.dtype):
        raise EdgeoptError(f"array '{name}' of {where} is {array.dtype}, the model wants {type_}; convert it")
    if array.ndim != len(type_.shape) or not _fits(array.shape[1:], type_.shape[1:]):
        raise EdgeoptError(f"array '{name}' of {where} has shape {list(array.shape)}, the model wants {type_}")
    return array


def _fits(actual: Sequence[int], wanted: Sequence[object]) -> bool:
    return all(not isinstance(w, int) or a == w for a, w in zip(actual, wanted, strict=True))


def generated(graph: Graph, count: int = 32, seed: int = 0) -> DataSet:
    """``count`` samples of smoothed standard normal noise for each float input, small integers for integer inputs.

    Natural signals are correlated between neighbours, so the noise is summed over scales of 1, 2, 4 and 8 elements.
    Raises EdgeoptError for an input without a static shape.
    """
    rng, arrays = np.random.default_rng(seed), {}
    for value in graph.inputs:
        if value.type is None or not value.type.static:
            raise EdgeoptError(f"input '{value.name}' has no static shape; bind it with --shape")
        shape, dtype = (count, *value.type.dims[1:]), numpy_dtype(value.type.dtype)
        noise = _smooth(rng, shape) if dtype.kind == "f" else rng.integers(0, 10, shape)
        arrays[value.name] = noise.astype(dtype)
    return DataSet(arrays)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    total = np.zeros(shape)
    for step in (1, 2, 4, 8):
        coarse = rng.standard_normal([shape[0], *(-(-d // step) if d >= 8 else d for d in shape[1:])])
        for axis, size in enumerate(shape):
            if axis and coarse.shape[axis] != size:
                coarse = np.take(np.repeat(coarse, step, axis), range(size), axis)
        total += coarse / 2
    return total
