"""Weight sharing as a technique: its forms are numbers of bits of a code into a table of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeopt.evaluate.codebook import shared
from edgeopt.forms.form import Axis, Evidence, Session
from edgeopt.forms.moments import grouped
from edgeopt.forms.seen import Changed, Seen
from edgeopt.forms.sequential import Sequential
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.finite import refuse_infinite
from edgeopt.ops.grids import linear_nodes
from edgeopt.passes import share_weights
from edgeopt.rewrite import Pass

BITS = (2, 3, 4, 5, 6, 7, 8)
STARTS = ("linear", "density", "random")
DEFAULT = "codebook-3"


class ShareWeights:
    """One table of values for the weights of a layer."""

    name = "share_weights"
    axis: Axis = "storage"
    about = "weights take few values, whose codes and table are stored; zeros stay zero, codes of a grid stay on it"
    done = "shared"
    passes: tuple[str, ...] = ("share_weights",)

    def form_keys(self) -> Sequence[str]:
        """Bits of a code, and how centroids start where that is not evenly over the range."""
        return tuple(f"codebook-{b}{'' if s == STARTS[0] else '-' + s}" for s in STARTS for b in BITS)

    def first(self) -> str:
        """Few bits; a search goes on from there."""
        return DEFAULT

    def finer(self, key: str) -> Sequence[str]:
        """More bits."""
        bits, start = _parsed(key)
        return [k for k in self.form_keys() if _parsed(k)[0] > bits and _parsed(k)[1] == start]

    def opset(self, keys: Sequence[str]) -> int:
        """A table is no operator."""
        return 0

    def obstacle(self, graph: Graph) -> str:
        """There must be a product with constant weights."""
        return "" if linear_nodes(graph) else "it has no convolution or matrix product with constant float32 weights"

    def left(self, graph: Graph) -> Sequence[str]:
        """Nothing of its kind."""
        return []

    def open(self, evidence: Evidence, keys: Sequence[str]) -> Session:
        """Layer by layer. Raises EdgeoptError for weights that are not finite."""
        refuse_infinite(linear_nodes(evidence.graph))
        return Sequential(self, evidence, keys)

    def suits(self, node: Node, key: str) -> bool:
        """A table must be smaller than the weight."""
        weight = node.constant(1)
        return weight is not None and weight.size > 2 * 2 ** _parsed(key)[0]

    def prepared(self, seen: Seen, keys: Sequence[str]) -> None:
        """Nothing: what is shared depends on what is pruned."""

    def solved(self, seen: Seen, key: str, prepared: Any) -> Array:
        """The rows of all groups on one table."""
        bits, start = _parsed(key)
        kept = seen.present != 0
        count = 2**bits - (0 if kept.all() else 1)
        present = np.unique(seen.present[kept])
        if len(present) <= count:
            return seen.present  # a table that is there already
        if seen.grid is None:
            return shared(seen.target, seen.h, kept, count, start).array
        step = _steps(seen)
        snap = np.rint if seen.grid.dtype != "float16" else _half
        return shared(seen.present / step, seen.h, kept, count, start, step**2, snap).array * step

    def make(self, solution: Mapping[str, Changed]) -> Pass:
        """Weights of few values."""
        return share_weights.make({name: (made.weight, made.bias, made.codes) for name, made in solution.items()})


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


def _half(values: Array) -> Array:
    return values.astype(np.float16).astype(np.float64)
