"""Pruning as a technique: its forms are patterns at levels, and the weights that stay make up for those that go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from edgeopt.evaluate.support import refit, survivals
from edgeopt.forms.form import Axis
from edgeopt.forms.prune.patterns import FORMS, GLOBAL, PruneForm, denser, inputs_first
from edgeopt.forms.seen import Changed, Seen
from edgeopt.forms.sequential import OfWeights, Solver
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grids import linear_nodes
from edgeopt.passes import prune
from edgeopt.rewrite import Pass

DEFAULT = "unstructured-96"


class Prune(OfWeights):
    """Weights that are zero; with ``thresholds`` of magnitude, one a round, that hold for all layers of a network."""

    def __init__(self, thresholds: Sequence[float] = ()) -> None:
        self._thresholds = thresholds

    name = "prune"
    axis: Axis = "mask"
    about = "weights become zero, those that cost least first, and the others make up for them"
    done = "pruned"
    passes: tuple[str, ...] = ("prune",)

    def form_keys(self) -> Sequence[str]:
        """Patterns at levels: the percentage that goes, or N:M, N of M neighbours that stay."""
        return tuple(FORMS)

    def first(self) -> str:
        """The sparsest; a search goes back from there."""
        return DEFAULT

    def finer(self, key: str) -> Sequence[str]:
        """The same pattern with more weights."""
        return denser(key)

    def bound(self, graph: Graph, keys: Sequence[str]) -> Solver:
        """With one threshold for all layers where that is asked for."""
        everywhere = [FORMS[key] for key in keys if FORMS[key].family == GLOBAL]
        return Prune(thresholds(graph, everywhere[0].shares)) if everywhere else self

    def suits(self, node: Node, key: str) -> bool:
        """Blocks must fit into the layer, and windows into its rows."""
        weight, units = node.constant(1), FORMS[key].units
        assert weight is not None
        if node.op == "FusedGemm":
            return weight.ndim == 2 and weight.shape[1] >= units.rows and weight.shape[0] >= max(units.columns, units.window)
        rows = len(weight) // node.integer("group", 1)
        return rows >= units.rows and weight.shape[1] >= max(units.columns, units.window)

    def prepared(self, seen: Seen, keys: Sequence[str]) -> Mapping[str, Array]:
        """For each family how many rounds each weight survives, up to the last round that ``keys`` ask for."""
        last: dict[str, PruneForm] = {}
        for form in (FORMS[key] for key in keys):
            last[form.family] = max(last.get(form.family, form), form, key=lambda f: f.round)
        return {family: self._survivals(seen, form) for family, form in last.items()}

    def _survivals(self, seen: Seen, form: PruneForm) -> Array:
        """How many rounds each weight survives [groups, rows, K]."""
        if form.family == GLOBAL:
            return np.searchsorted(self._thresholds, np.abs(seen.weight)).astype(np.uint8)
        return np.stack([_survivals(seen, group, form) for group in range(len(seen.target))])

    def solved(self, seen: Seen, key: str, prepared: Mapping[str, Array]) -> Array:
        """The rows of each group: what survives, and where it can make up for the rest, solved again."""
        form = FORMS[key]
        kept = prepared[form.family] > form.round
        if seen.h is None or form.measure != "second-order":
            return seen.target * kept if seen.h is None else seen.present * kept
        return np.stack([refit(*of_group) for of_group in zip(seen.target, seen.h, kept, strict=True)])

    def make(self, solution: Mapping[str, Changed]) -> Pass:
        """Weights with zeros."""
        return prune.make({name: (made.weight, made.bias) for name, made in solution.items()})


def thresholds(graph: Graph, shares: Sequence[float]) -> list[float]:
    """The magnitudes beyond which ``shares`` of all weights of the products of ``graph`` lie."""
    magnitudes = np.sort(np.concatenate([np.abs(w).reshape(-1) for n in linear_nodes(graph) if (w := n.constant(1)) is not None]))
    return [float(magnitudes[max(0, round((1 - share) * magnitudes.size) - 1)]) for share in shares]


def _taps(node: Node) -> int:
    weight = node.constant(1)
    assert weight is not None
    return prod(weight.shape[2:]) if node.op == "FusedConv" else 1


def _survivals(seen: Seen, group: int, form: PruneForm) -> Array:
    """By the measure of the form; inputs are neighbours, as blocks and windows want them."""
    target = seen.target[group]
    h = _moments(None if seen.h is None else seen.h[group], target.shape[1], form)
    order = inputs_first(target.shape[1], _taps(seen.node))
    found = np.empty(target.shape, np.uint8)
    h = h[order] if h.ndim == 1 else h[np.ix_(order, order)]
    found[:, order] = survivals(target[:, order], h, form.units, form.shares[: form.round + 1])
    return found


def _moments(h: Array | None, columns: int, form: PruneForm) -> Array:
    if h is None or form.measure == "magnitude":
        return np.ones(columns)
    return np.diagonal(h) if form.measure == "activation" else h
