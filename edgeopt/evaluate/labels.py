"""Labels of a classifier's samples: the forms they come in, and the output they belong to.

A label that is not understood must stop the work: accuracies of two networks on wrong labels are alike, so a budget would hold
whatever the second one computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, Value

LABELS = "labels"
MISTAKEN = {"label", "y", "y_true", "target", "targets", "class", "classes", "truth", "ground_truth", "expected_labels"}
WANTED = "expected are class numbers from 0, of shape (samples,) or (samples, 1), or one-hot rows (samples, classes)"


def labels_of(arrays: Mapping[str, Array], graph: Graph, where: str) -> tuple[Array | None, str]:
    """(the class index of each sample [samples], the output of ``graph`` that they belong to); (None, "") without labels.

    Raises EdgeoptError for labels of another form or another name, and when no single output of ``graph`` has classes.
    """
    inputs = {v.name for v in graph.inputs}
    if LABELS in arrays and LABELS not in inputs:
        labels, columns = class_indices(arrays[LABELS], where)
        return labels, _output(graph, labels, columns, where).name
    for name in arrays:
        if name not in inputs and might_be_labels(name):
            raise EdgeoptError(
                f"{where} has an array '{name}', which is neither an input nor read as labels; call it '{LABELS}' or leave it out"
            )
    return None, ""


def might_be_labels(name: str) -> bool:
    """True for the name of labels and for names that others give them."""
    return name.strip().lower() in MISTAKEN | {LABELS}


def class_indices(found: Array, where: str) -> tuple[Array, int]:
    """(``found`` as int64 class indices [samples], the classes that one-hot rows have, else 0). Raises EdgeoptError otherwise."""
    about = f"the labels of {where} are {found.dtype}{list(found.shape)}"
    if found.dtype.kind not in "biuf":
        raise EdgeoptError(f"{about}: {WANTED}; number the classes in the order of the model's output")
    if found.ndim == 0:
        raise EdgeoptError(f"{about}, a single number: {WANTED}")
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise EdgeoptError(f"{about} and hold NaN or infinity: {WANTED}")
    if found.dtype.kind == "f" and not np.array_equal(found, np.rint(found)):
        raise EdgeoptError(f"{about} and hold fractions: {WANTED}; leave out what tells no classes")
    indices, columns = _flat(found, about)
    if indices.size and indices.max() > np.iinfo(np.int32).max:  # beyond that they would turn negative below
        raise EdgeoptError(f"{about} and reach {int(indices.max())}: {WANTED}")
    if indices.size and indices.min() < 0:
        raise EdgeoptError(f"{about} and hold {int(indices.min())}: {WANTED}; drop samples without a class")
    return indices.astype(np.int64), columns


def _flat(found: Array, about: str) -> tuple[Array, int]:
    """The numbers of a column, or the places of the ones in rows and how long these are."""
    if found.size <= len(found):
        return found.reshape(-1), 0
    if found.ndim != 2 or not _is_one_hot(found):
        raise EdgeoptError(f"{about}, and not every row holds a single 1 and else 0: {WANTED}")
    return found.argmax(axis=1), found.shape[1]


def _is_one_hot(rows: Array) -> bool:
    return bool(np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all())


def _output(graph: Graph, labels: Array, columns: int, where: str) -> Value:
    """The one output whose classes the labels number."""
    sizes = {v: n for v in graph.outputs if (n := _classes(v)) > 1}
    highest = int(labels.max(initial=0))
    fitting = [v for v, n in sizes.items() if highest < n and columns in (0, n)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"'{v.name}' {v.type}" for v in graph.outputs)
    raise EdgeoptError(f"the labels of {where} {_misfit(sizes, fitting, labels, columns)} (outputs: {shown})")


def _misfit(sizes: Mapping[Value, int], fitting: Sequence[Value], labels: Array, columns: int) -> str:
    """Why labels belong to none of the outputs with classes, or not to a single one."""
    if fitting:
        return f"fit {' and '.join(repr(v.name) for v in fitting)}; keep one of these outputs, or leave the labels out"
    if not sizes:
        return "need one output of shape (samples, classes) with two classes or more; leave them out to compare decisions"
    counts = " and ".join(f"{n} classes in '{v.name}'" for v, n in sizes.items())
    if columns:
        return f"are one-hot for {columns} classes, the model has {counts}"
    low, high = labels.min(), labels.max()
    if low >= 1 and high in sizes.values():
        return f"run from {low} to {high}, the model has {counts}: they count from 1; subtract 1"
    return f"reach {high}, the model has {counts}, numbered from 0"


def _classes(value: Value) -> int:
    """How many classes an output of shape (samples, classes) tells apart; 0 for another form. Axes of size 1 do not count."""
    if value.type is None or value.type.shape is None or len(value.type.shape) < 2:
        return 0
    sizes = [d for d in value.type.shape[1:] if d != 1]
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], int) else 0
