"""Labelled samples of a model's inputs, read from npz files and split reproducibly."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, numpy_dtype

LABELS = "labels"
MAX_CALIBRATION = 512


@dataclass(frozen=True)
class DataSet:
    """``arrays``: input name -> array whose leading axis is the samples. ``labels``: class index of each sample, or None."""

    arrays: dict[str, Array]
    labels: Array | None = None

    def __len__(self) -> int:
        return min((len(a) for a in self.arrays.values()), default=0)

    def take(self, index: Array | slice) -> DataSet:
        """The samples at ``index``."""
        return DataSet({k: v[index] for k, v in self.arrays.items()}, None if self.labels is None else self.labels[index])

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

    Raises EdgeoptError when the file cannot be read, or an array is missing, has the wrong type, shape or number of samples.
    """
    archive = _archive(Path(path))
    arrays = {}
    for value in graph.inputs:
        if value.name not in archive:
            raise EdgeoptError(f"'{path}' has no array for the input '{value.name}'; it has {', '.join(archive) or 'none'}")
        arrays[value.name] = _checked(archive[value.name], graph, value.name, path)
    labels = archive.get(LABELS)
    if len({len(a) for a in [*arrays.values(), *([] if labels is None else [labels])]}) > 1:
        raise EdgeoptError(f"the arrays of '{path}' differ in their number of samples")
    return DataSet(arrays, labels)


def _archive(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise EdgeoptError(f"cannot read '{path}' as an npz archive: {error}") from error


def _checked(array: Array, graph: Graph, name: str, path: str | Path) -> Array:
    type_ = next(v.type for v in graph.inputs if v.name == name)
    if type_ is None or type_.shape is None:
        return array
    if array.dtype != numpy_dtype(type_.dtype):
        raise EdgeoptError(f"array '{name}' of '{path}' is {array.dtype}, the model wants {type_}; convert it")
    if array.ndim != len(type_.shape) or not _fits(array.shape[1:], type_.shape[1:]):
        raise EdgeoptError(f"array '{name}' of '{path}' has shape {list(array.shape)}, the model wants {type_}")
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
