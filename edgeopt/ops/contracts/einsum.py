"""Einsum: as many terms as inputs, a label for each dimension, one extent for each label."""

from __future__ import annotations

from edgeopt.ops.contracts.operands import Operands


def _einsum(operands: Operands) -> None:
    left, arrow, right = operands.node.text("equation", "").replace(" ", "").partition("->")
    terms = left.split(",")
    operands.need(len(terms) == operands.count, f"the equation '{left}' has {len(terms)} terms for {operands.count} inputs")
    extents: dict[str, int] = {}
    dotted = 0
    for index, term in enumerate(terms):
        labels = _labels(operands, index, term)
        dotted = max(dotted, sum(label.startswith(".") for label in labels))
        for label, extent in zip(labels, operands.shape(index), strict=True):
            known = extents.get(label, 1)
            good = 1 in (known, extent) or known == extent
            operands.need(good, f"'{label}' is {known} and, in {operands.label(index)}, {extent}")
            extents[label] = max(known, extent) if 0 not in (known, extent) else 0
    ellipsis = [f".{i}" for i in range(dotted, 0, -1)]
    once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
    head, dots, tail = right.partition("...")
    result = [*head, *(ellipsis if dots else []), *tail] if arrow else [*ellipsis, *once]
    good = len(set(result)) == len(result) and set(result) <= set(extents)
    operands.need(good, f"the result '{right}' of the equation repeats a label or names one that no input has")
    operands.yields([extents[label] for label in result])


def _labels(operands: Operands, index: int, term: str) -> list[str]:
    """A label for each dimension of input ``index``; those of an ellipsis are counted from the right."""
    head, dots, tail = term.partition("...")
    shape = operands.shape(index)
    missing = len(shape) - len(head) - len(tail)
    good = missing >= 0 if dots else missing == 0
    operands.need(good, f"{operands.label(index)} of shape {list(shape)} does not have the dimensions of the term '{term}'")
    return [*head, *(f".{i}" for i in range(missing, 0, -1)), *tail]


RULES = {"Einsum": _einsum}
