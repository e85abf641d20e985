"""Whether a float network knows anything of the samples it is measured on: a loss of accuracy can be seen there only."""

from __future__ import annotations

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.metrics import accuracy, decisions
from edgeopt.ir import Array

ERRORS = 3.0  # standard errors above what guessing gives
CLEARLY = 10.0  # percentage points
FEWEST = 20  # samples; of fewer, guessing may well get most right
SHIFTS = {
    -1: "when 1 is subtracted from every label: they count from 1, and from 0 is expected; subtract 1",
    1: "when 1 is added to every label: the model has a class in front of them; add 1",
}


def check_reference(outputs: Array, labels: Array | None, accept_chance: bool) -> None:
    """Raise EdgeoptError when nothing can be measured against the float network's ``outputs`` [samples, ...]."""
    broken = int((decisions(outputs) < 0).sum())
    if broken:
        raise EdgeoptError(
            f"the float model gives NaN or infinity for {broken} of {len(outputs)} samples, so no loss can be measured; check "
            "the data's preprocessing and the model"
        )
    if labels is not None:
        check_labels(outputs, labels, accept_chance)


def check_labels(outputs: Array, labels: Array, accept_chance: bool) -> float:
    """The accuracy in percent of the float network's ``outputs`` [samples, classes, ...].

    Raises EdgeoptError when it is no better than guessing, unless ``accept_chance``, and always when another numbering of the
    classes is what the network was trained on. Fewer than ``FEWEST`` samples say nothing of that.
    """
    before, guess = accuracy(outputs, labels), chance(outputs, labels)
    if before > guess or len(labels) < FEWEST:
        return before
    for step, advice in SHIFTS.items():
        shifted = labels + step
        if (after := accuracy(outputs, shifted)) > max(chance(outputs, shifted), before + CLEARLY):
            raise EdgeoptError(f"the float model is right on {before:.2f} % of the samples, but on {after:.2f} % {advice}")
    if not accept_chance:
        raise EdgeoptError(
            f"the float model is right on {before:.2f} % of {len(labels)} samples, no more than guessing gives, so a loss of "
            "accuracy cannot be measured: check that labels and preprocessing are those of this model (--accept-chance goes on)"
        )
    return before


def chance(outputs: Array, labels: Array) -> float:
    """The accuracy in percent that decisions made without looking at the samples may well reach, below 100.

    Expected is the agreement of the decisions with labels that are shuffled, as in Cohen's kappa (1960); with labels of a single
    class, which these would all meet, one in as many as there are classes.
    """
    made, count = decisions(outputs), len(labels)
    classes = np.unique(labels)
    if len(classes) == 1:
        expected = 1.0 / max(2, int(outputs[0].size))
        error = float(np.sqrt(expected * (1.0 - expected) / max(count, 1)))
    else:
        right, chosen = (np.array([np.sum(of == c) for c in classes]) for of in (labels, made))
        expected, error = float(right @ chosen) / max(count, 1) ** 2, _spread(right, chosen, count) / max(count, 1)
    return min(100.0 * (expected + ERRORS * error + 1.0 / max(count, 1)), 99.999)  # counts are whole, and few may be skewed


def _spread(right: Array, chosen: Array, count: int) -> float:
    """The standard deviation of how many of ``count`` decisions meet shuffled labels (Hoeffding, A combinatorial central limit

    theorem, 1951): ``right`` and ``chosen`` count the labels and decisions of each class; other decisions meet none.
    """
    other = count - chosen.sum()
    labels, made = right / count, np.array([*chosen, other]) / count
    meets = np.eye(len(right), len(made))
    away = meets - made[: len(right), None].repeat(len(made), 1) - np.array([*labels, 0.0])[None] + labels @ made[: len(right)]
    return float(np.sqrt((np.outer(right, [*chosen, other]) * away**2).sum() / max(count - 1, 1)))
