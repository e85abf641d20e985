"""Labelled samples of a model's inputs, read from npz files and split reproducibly.

A *call* is what a compiled model takes at once: one sample, or a whole batch where the model was exported with one. Calls are
never taken apart, since what is in one may be mixed by the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edgeopt import npz
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.index_limit import index_limit
from edgeopt.evaluate.labels import LABELS, labels_of, might_be_labels
from edgeopt.ir import Array, Graph, Value, numpy_dtype

MAX_CALIBRATION = 512
RANGES, HEADS = 0.25, 0.5  # of the samples: what calibrates ranges and weights, and what early exits and codes are fitted on
FEW = 64  # samples that ranges need; with more, int8 loses no less on any of four networks that were measured
INTEGERS = 10


@dataclass(frozen=True)
class DataSet:
    """``arrays``: input name -> array whose leading axis is the samples. ``labels``: class index of each sample, or None.

    ``output`` names the output of the model that the labels belong to. ``rows`` says how much of the leading axis one call takes,
    1 for an input that it does not name. The last ``repeated`` samples are the first ones again.
    """

    arrays: dict[str, Array]
    labels: Array | None = None
    output: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0

    def __len__(self) -> int:
        """The number of calls."""
        return min((len(a) // self.rows.get(k, 1) for k, a in self.arrays.items()), default=0)

    @property
    def samples(self) -> int:
        """What the calls hold: the rows of all inputs where these agree, else one sample each."""
        rows = {self.rows.get(k, 1) for k in self.arrays}
        return len(self) * (rows.pop() if len(rows) == 1 else 1)

    def take(self, index: Array | slice) -> DataSet:
        """The calls at ``index``."""
        count = len(self)
        arrays = {k: _taken(a, index, self.rows.get(k, 1), count) for k, a in self.arrays.items()}
        labels = self.labels
        if labels is not None and count:
            labels = _taken(labels, index, max(1, len(labels) // count), count)
        return replace(self, arrays=arrays, labels=labels)

    def subset(self, count: int, seed: int = 0) -> DataSet:
        """At most ``count`` calls, drawn without replacement and kept in their order."""
        if len(self) <= count:
            return self
        chosen = np.random.default_rng(seed).permutation(len(self))[:count]
        return self.take(np.sort(chosen))

    def split(self, seed: int = 0, part: float = RANGES) -> tuple[DataSet, DataSet]:
        """(calibration, evaluation): a random ``part``, and the rest.

        At least ``FEW`` samples calibrate, at most ``MAX_CALIBRATION`` calls and half of all. Raises EdgeoptError for less than
        two calls.
        """
        if len(self) < 2:
            held = f"{len(self)} samples" if not self.rows else f"{self.samples} samples, which the model takes in one call"
            raise EdgeoptError(f"the data holds {held}; two are needed to calibrate on one and evaluate on another")
        order = np.random.default_rng(seed).permutation(len(self))
        few = -(-FEW * len(self) // self.samples)
        cut = min(len(self) // 2, max(int(part * len(self)), few), MAX_CALIBRATION)
        return self.take(np.sort(order[:cut])), self.take(np.sort(order[cut:]))


def _taken(array: Array, index: Array | slice, rows: int, count: int) -> Array:
    if rows == 1:
        return array[index]
    calls = array[: rows * count].reshape(count, rows, *array.shape[1:])[index]
    return calls.reshape(-1, *array.shape[1:])


def fitted(data: DataSet, graph: Graph) -> DataSet:
    """``data`` with the ``rows`` that one call of ``graph`` takes; the first samples are repeated to fill the last batch.

    A number without an axis goes into every call.
    """
    rows = {v.name: n for v in graph.inputs if v.name in data.arrays and (n := _rows(v)) != 1}
    calls = min((len(a) // rows.get(k, 1) for k, a in data.arrays.items() if a.ndim), default=1)
    arrays = {k: a if a.ndim else np.full(calls, a) for k, a in data.arrays.items()}
    made = replace(data, arrays=arrays, rows=rows)
    counts = {len(a) for a in [*arrays.values(), *([] if data.labels is None else [data.labels])]}
    each = {rows.get(k, 1) for k in arrays}
    if len(counts) != 1 or len(each) != 1 or 0 in counts:
        return made
    count, batch = counts.pop(), each.pop()
    index = whole_batches(count, batch)
    if len(index) == count:
        return made
    labels = None if data.labels is None else data.labels[index]
    return replace(made, arrays={k: a[index] for k, a in arrays.items()}, labels=labels, repeated=len(index) - count)


def whole_batches(count: int, batch: int) -> Array:
    """The numbers of ``count`` samples, then of as many of the first as fill the last batch."""
    return np.arange(count + -count % batch) % count


def _rows(value: Value) -> int:
    """Rows of one call; a scalar has one for each call."""
    dims = value.type.dims if value.type is not None and value.type.static else ()
    return dims[0] if dims else 1


def read(path: str | Path, graph: Graph) -> DataSet:
    """The arrays of an npz file that are called like the inputs of ``graph``, and ``labels`` when there are any.

    Raises EdgeoptError when the file cannot be read, an array is missing, has the wrong type, shape or number of samples, or the
    labels are not understood (``edgeopt.evaluate.labels``).
    """
    found = npz.read(Path(path), [value.name for value in graph.inputs], might_be_labels)
    return _fitting(found, graph, f"'{path}'")


def read_pair(
    data: str | Path | DataSet, calibration: str | Path | DataSet | None, graph: Graph, part: float = RANGES
) -> tuple[DataSet, DataSet]:
    """(calibration, evaluation) for ``graph``, of files or as they are; ``part`` of ``data`` calibrates without that."""
    known = _known(data, graph)
    return known.split(part=part) if calibration is None else (_known(calibration, graph), known)


def _known(source: str | Path | DataSet, graph: Graph) -> DataSet:
    return source if isinstance(source, DataSet) else read(source, graph)


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
    made = fitted(DataSet(arrays, labels, output), graph)
    _check_counts(made, where)
    return made


def _check_counts(data: DataSet, where: str) -> None:
    counts = {name: len(a) for name, a in {**data.arrays, **({} if data.labels is None else {LABELS: data.labels})}.items()}
    calls = {len(a) // data.rows.get(k, 1) for k, a in data.arrays.items()}
    labelled = data.labels is None or len(data.labels) in (data.samples, len(data))
    if len(calls) > 1 or not labelled:
        shown = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        raise EdgeoptError(f"the arrays of {where} differ in their number of samples: {shown}")
    if not any(counts.values()):
        raise EdgeoptError(f"{where} holds no samples; the leading axis of its arrays is empty")


def _checked(array: Array, graph: Graph, name: str, where: str) -> Array:
    type_ = next(v.type for v in graph.inputs if v.name == name)
    if array.ndim == 0 and (type_ is None or type_.shape != ()):
        raise EdgeoptError(f"array '{name}' of {where} is a single number; its leading axis must count the samples")
    if type_ is None or type_.shape is None:
        return array
    if array.dtype != numpy_dtype(type_.dtype):
        raise EdgeoptError(f"array '{name}' of {where} is {array.dtype}, the model wants {type_}; convert it")
    refuse_nan(array, f"array '{name}' of {where}")
    if not type_.shape and array.ndim < 2:
        return array  # a number for all calls, or one for each
    if array.ndim != len(type_.shape) or not _fits(array.shape[1:], type_.shape[1:]):
        raise EdgeoptError(f"array '{name}' of {where} has shape {list(array.shape)}, the model wants {type_}")
    return array


def refuse_nan(array: Array, what: str) -> None:
    """Raise EdgeoptError for NaN. Infinity may be meant, as in a mask of attention; what a network makes of NaN says nothing."""
    if found := nan_in(array):
        raise EdgeoptError(f"{what} holds NaN in {found}; mend these samples or leave them out")


def nan_in(array: Array) -> str:
    """Which samples of ``array`` hold NaN, in words; empty where none does."""
    missing = np.isnan(array) if array.dtype.kind == "f" else None
    if missing is None or not missing.any():
        return ""
    rows = np.flatnonzero(missing.reshape(len(array), -1).any(axis=1)) if array.ndim else [0]
    count = f"{len(rows)} of {len(array)} samples" if array.ndim else "the only sample"
    return f"{count}, the first is sample {rows[0]}"


def _fits(actual: Sequence[int], wanted: Sequence[object]) -> bool:
    return all(not isinstance(w, int) or a == w for a, w in zip(actual, wanted, strict=True))


def generated(graph: Graph, count: int = 32, seed: int = 0) -> DataSet:
    """``count`` calls of smoothed standard normal noise for each float input, small integers for integer inputs.

    Integers that select rows of a table stay inside of it. Natural signals are correlated between neighbours, so the noise is
    summed over scales of 1, 2, 4 and 8 elements. Raises EdgeoptError for an input without a static shape.
    """
    rng, arrays = np.random.default_rng(seed), {}
    for value in graph.inputs:
        if value.type is None or not value.type.static:
            raise EdgeoptError(f"input '{value.name}' has no static shape; bind it with --shape")
        shape, dtype = (count * _rows(value), *value.type.dims[1:]), numpy_dtype(value.type.dtype)
        noise = _smooth(rng, shape) if dtype.kind == "f" else rng.integers(0, index_limit(value, INTEGERS), shape)
        arrays[value.name] = noise.astype(dtype)
    return fitted(DataSet(arrays), graph)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    total = np.zeros(shape)
    for step in (1, 2, 4, 8):
        coarse = rng.standard_normal([shape[0], *(-(-d // step) if d >= 8 else d for d in shape[1:])])
        for axis, size in enumerate(shape):
            if axis and coarse.shape[axis] != size:
                coarse = np.take(np.repeat(coarse, step, axis), range(size), axis)
        total += coarse / 2
    return total
