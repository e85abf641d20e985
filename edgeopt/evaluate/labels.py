"""Labels of a classifier's samples: the forms they come in, the output they belong to, and whether they fit the network at all.

A label that is not understood must stop the work: accuracies of two networks on wrong labels are alike, so a budget would hold
whatever the second one computes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.metrics import accuracy, decisions
from edgeopt.ir import Array, Graph, Value

LABELS = "labels"
MISTAKEN = {"label", "y", "y_true", "target", "targets", "class", "classes", "truth", "ground_truth", "expected_labels"}
WANTED = "expected are class numbers from 0, of shape (samples,) or (samples, 1), or one-hot rows (samples, classes)"
ERRORS = 3.0  # standard errors above what guessing gives
CLEARLY = 10.0  # percentage points
FEWEST = 10  # samples; below that neither knowledge nor guessing shows
SHIFTS = {
    -1: "when 1 is subtracted from every label: they count from 1, and from 0 is expected; subtract 1",
    1: "when 1 is added to every label: the model has a class in front of them; add 1",
}


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
    if found.dtype.kind == "f" and not (np.isfinite(found).all() and np.array_equal(found, np.rint(found))):
        kind = "NaN or infinity" if not np.isfinite(found).all() else "fractions"
        raise EdgeoptError(f"{about} and hold {kind}: {WANTED}")
    flat = found.reshape(len(found), -1) if found.size else found.reshape(len(found), 1)
    columns = flat.shape[1]
    if columns == 1:
        flat, columns = flat[:, 0], 0
    elif found.ndim != 2 or not _is_one_hot(flat):
        raise EdgeoptError(f"{about}, and not every row holds a single 1 and else 0: {WANTED}")
    else:
        flat = flat.argmax(axis=1)
    if flat.size and flat.min() < 0:
        raise EdgeoptError(f"{about} and hold {int(flat.min())}: {WANTED}; drop samples without a class")
    return flat.astype(np.int64), columns


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
    if fitting:
        names = " and ".join(f"'{v.name}'" for v in fitting)
        reason = f"fit {names}; keep one of these outputs, or leave the labels out"
    elif not sizes:
        reason = "need one output of shape (samples, classes) with two classes or more; leave them out to compare decisions"
    elif columns:
        reason = f"are one-hot for {columns} classes, the model has {_counts(sizes)}"
    elif labels.min() >= 1 and highest in sizes.values():
        reason = f"run from {labels.min()} to {highest}, the model has {_counts(sizes)}: they count from 1; subtract 1"
    else:
        reason = f"reach {highest}, the model has {_counts(sizes)}, numbered from 0"
    raise EdgeoptError(f"the labels of {where} {reason} (outputs: {shown})")


def _counts(sizes: Mapping[Value, int]) -> str:
    return " and ".join(f"{n} classes in '{v.name}'" for v, n in sizes.items())


def _classes(value: Value) -> int:
    """How many classes an output of shape (samples, classes) tells apart; 0 for another form. Axes of size 1 do not count."""
    if value.type is None or value.type.shape is None or len(value.type.shape) < 2:
        return 0
    sizes = [d for d in value.type.shape[1:] if d != 1]
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], int) else 0


def check_reference(outputs: Array, labels: Array | None, accept_chance: bool) -> None:
    """Raise EdgeoptError when nothing can be measured against the float network's ``outputs`` [samples, ...]."""
    broken = int(np.isnan(outputs.reshape(len(outputs), -1)).any(axis=1).sum()) if outputs.dtype.kind == "f" else 0
    if broken:
        raise EdgeoptError(
            f"the float model gives NaN for {broken} of {len(outputs)} samples, so no loss can be measured; check the data's "
            "preprocessing and the model"
        )
    if labels is not None:
        check_labels(outputs, labels, accept_chance)


def check_labels(outputs: Array, labels: Array, accept_chance: bool) -> float:
    """The accuracy in percent of the float network's ``outputs`` [samples, classes, ...].

    Raises EdgeoptError when it is no better than guessing, unless ``accept_chance``, and always when another numbering of the
    classes is what the network was trained on. Fewer than ``FEWEST`` samples say nothing of that.
    """
    before, guess = accuracy(outputs, labels), _chance(outputs, labels)
    if before > guess or len(labels) < FEWEST:
        return before
    for step, advice in SHIFTS.items():
        shifted = labels + step
        if (after := accuracy(outputs, shifted)) > max(_chance(outputs, shifted), before + CLEARLY):
            raise EdgeoptError(f"the float model is right on {before:.2f} % of the samples, but on {after:.2f} % {advice}")
    if not accept_chance:
        raise EdgeoptError(
            f"the float model is right on {before:.2f} % of {len(labels)} samples, no more than guessing gives, so a loss of "
            "accuracy cannot be measured: check that labels and preprocessing are those of this model (--accept-chance goes on)"
        )
    return before


def _chance(outputs: Array, labels: Array) -> float:
    """The accuracy in percent that decisions made without looking at the samples may well reach, below 100.

    Expected is the agreement of two independent draws from the decisions and from the labels, as in Cohen's kappa (1960); with
    labels of a single class, which independent draws would all meet, one in as many as there are classes.
    """
    made, count = decisions(outputs), len(labels)
    classes = np.unique(labels)
    expected = float(sum(np.mean(made == c) * np.mean(labels == c) for c in classes))
    if len(classes) == 1:
        expected = 1.0 / max(2, outputs[0].size)
    error = float(np.sqrt(expected * (1.0 - expected) / max(count, 1)))
    return min(100.0 * (expected + ERRORS * error), 99.999)
