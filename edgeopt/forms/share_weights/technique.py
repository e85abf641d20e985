"""Weight sharing as a technique: its forms are numbers of bits of a code into a table of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeopt.evaluate.codebook import shared
from edgeopt.forms.form import Axis
from edgeopt.forms.moments import grouped
from edgeopt.forms.seen import Changed, Seen, few_digits
from edgeopt.forms.sequential import OfWeights
from edgeopt.ir import Array, Node
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import round_weight
from edgeopt.passes import share_weights
from edgeopt.rewrite import Pass

BITS = (2, 3, 4, 5, 6, 7, 8)
SCALED_BITS = (4, 5, 6, 7, 8)  # codes of a table that each channel scales by a step of its own
GROUPED_BITS = (2, 3, 4, 5)
OUTPUTS = 16  # that have a table together in grouped forms
STARTS = ("linear", "density", "random")
DEFAULT = "codebook-3"
LARGEST = 127
Part = tuple[slice, slice]


class ShareWeights(OfWeights):
    """One table of values for the weights of a layer, or of some of its outputs, or of codes that each output channel scales."""

    name = "share_weights"
    axis: Axis = "storage"
    about = "weights take few values, whose codes and table are stored; zeros stay zero, codes of a grid stay on it"
    done = "shared"
    passes: tuple[str, ...] = ("share_weights",)

    def form_keys(self) -> Sequence[str]:
        """Bits of a code, and how centroids start where not evenly over the range; scaled: with a step for each channel;

        grouped: with a table for every ``OUTPUTS`` output channels.
        """
        plain = [f"codebook-{b}{'' if s == STARTS[0] else '-' + s}" for s in STARTS for b in BITS]
        return (*plain, *(f"scaled-{b}" for b in SCALED_BITS), *(f"grouped-{b}" for b in GROUPED_BITS))

    def first(self) -> str:
        """Few bits; a search goes on from there."""
        return DEFAULT

    def finer(self, key: str) -> Sequence[str]:
        """More bits, and steps for channels."""
        bits, start = _parsed(key)
        found = [k for k in self.form_keys() if _parsed(k)[0] > bits and _parsed(k)[1] == start and _grouped(k) == _grouped(key)]
        return sorted(found, key=lambda k: (_parsed(k)[0], k))

    def suits(self, node: Node, key: str) -> bool:
        """A table must be smaller than the weight."""
        weight = node.constant(1)
        if weight is None:
            return False
        outputs = int(weight.shape[-1] if node.op == "FusedGemm" else weight.shape[0])
        tables = -(-outputs // OUTPUTS) if _grouped(key) else 1
        return bool(weight.size > 2 * 2 ** _parsed(key)[0] * tables and tables < outputs)

    def prepared(self, seen: Seen, keys: Sequence[str]) -> None:
        """Nothing: what is shared depends on what is pruned."""

    def solved(self, seen: Seen, key: str, prepared: Any) -> Array:
        """The rows of all groups on one table, or on one for every few outputs."""
        made = np.empty_like(seen.present)
        for part in _parts(*seen.present.shape[:2]) if _grouped(key) else [(slice(None), slice(None))]:
            made[part] = _on_a_table(seen, part, *_parsed(key))
        return made

    def grid(self, node: Node, key: str, weight: Array) -> Quantizer | None:
        """int8 with a step, of few digits, for each output channel, for scaled forms of weights that have no table yet."""
        if not key.startswith("scaled") or len(np.unique(weight)) <= 2 ** _parsed(key)[0]:
            return None
        found = round_weight(node, "int8", True, weight).grid
        return replace(found, scale=few_digits(found.scale))

    def make(self, solution: Mapping[str, Changed]) -> Pass:
        """Weights of few values."""
        return share_weights.make({name: _shared(made) for name, made in solution.items()})


def _shared(made: Changed) -> share_weights.Shared:
    return share_weights.Shared(made.weight, made.bias, made.codes, made.grid if made.codes is None else None)


def _parts(groups: int, rows: int) -> list[Part]:
    """Groups and rows of about ``OUTPUTS`` outputs each, that follow each other."""
    if rows < OUTPUTS:
        step = OUTPUTS // rows
        return [(slice(first, first + step), slice(None)) for first in range(0, groups, step)]
    return [(slice(g, g + 1), slice(first, first + OUTPUTS)) for g in range(groups) for first in range(0, rows, OUTPUTS)]


def _on_a_table(seen: Seen, part: Part, bits: int, start: str) -> Array:
    """The rows of ``part`` [groups, rows, K] with at most 2**bits values, zero among them where it occurs."""
    present, target, h = seen.present[part], seen.target[part], None if seen.h is None else seen.h[part[0]]
    kept = present != 0
    count = 2**bits - (0 if kept.all() else 1)
    if seen.grid is None:
        there = len(np.unique(present[kept])) <= count  # a table that is there already
        return present if there else shared(target, h, kept, count, start).array
    step = np.broadcast_to(_steps(seen), (*seen.present.shape[:2], 1))[part]
    snap = _whole if seen.grid.dtype != "float16" else _half
    return np.asarray(shared(target / step, h, kept, count, start, snap).array * step)


def _grouped(key: str) -> bool:
    return key.startswith("grouped")


def _parsed(key: str) -> tuple[int, str]:
    _, bits, *start = key.split("-")
    return int(bits), start[0] if start else STARTS[0]


def _steps(seen: Seen) -> Array:
    """The step of the grid in each row [groups, rows, 1]."""
    assert seen.grid is not None
    weight = seen.node.constant(1)
    assert weight is not None
    ones = np.ones(weight.shape, np.int32)
    return np.ones((1, 1, 1)) if seen.grid.dtype == "float16" else grouped(seen.node, seen.grid.dequantize(ones))[:, :, :1]


def _whole(values: Array) -> Array:
    return np.clip(np.rint(values), -LARGEST, LARGEST)


def _half(values: Array) -> Array:
    return values.astype(np.float16).astype(np.float64)
