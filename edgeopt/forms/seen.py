"""A layer in front of its change and behind it, and what is approached: the least squares response of the exact network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeopt.evaluate.observe import Overlay
from edgeopt.evaluate.rounding import damped
from edgeopt.forms.moments import Moments, grouped, ungrouped
from edgeopt.ir import Array, Node
from edgeopt.ops.grid import Quantizer

LEAST_DAMPING, SCARCE = 0.01, 0.1  # of the mean of the diagonal; chosen by hand: few rows say little about many columns
DIGITS = 11


@dataclass(frozen=True, eq=False)
class Seen:
    """A layer in front of its change.

    ``weight``, ``present`` and ``target`` are [groups, rows, K]: the exact weight, what earlier axes made of it, and what is to
    be approached. ``h`` [groups, K, K] are damped moments, which come from ``moments``, None without any. ``grid`` is the one
    that ``present`` lies on, if it does.
    """

    node: Node
    weight: Array
    present: Array
    target: Array
    h: Array | None
    grid: Quantizer | None = None
    moments: Moments | None = None


@dataclass(frozen=True, eq=False)
class Changed:
    """The float32 weight of a layer in the layout of its node, its bias where that was corrected, and the grid it lies on.

    ``before`` is the weight as earlier axes made it; None where the grid is one that was chosen here.
    """

    weight: Array
    bias: Array | None = None
    grid: Quantizer | None = None
    before: Array | None = None

    @property
    def stored(self) -> Array:
        """What is stored of the weight: its codes where it lies on a grid."""
        if self.grid is None:
            return self.weight
        return self.weight.astype(np.float16) if self.grid.dtype == "float16" else self.grid.quantize(self.weight).astype(np.int8)

    @property
    def codes(self) -> tuple[Array, Array] | None:
        """What was and what is stored of a weight on a grid: its codes, or its numbers in half precision."""
        if self.grid is None or self.before is None:
            return None
        pair = self.before, self.weight
        return pair if self.grid.dtype == "float16" else (self.grid.quantize(pair[0]), self.grid.quantize(pair[1]))


def few_digits(array: Array) -> Array:
    """float32 with as many binary digits as half precision has, eleven: the others, which are zero, take few bytes coded."""
    digits, exponent = np.frexp(np.asarray(array, np.float64))
    return np.asarray(np.ldexp(np.rint(digits * 2.0**DIGITS) / 2.0**DIGITS, exponent), np.float32)


def array_of(node: Node, rows: Array) -> Array:
    """Rows [groups, rows, K] in the layout of the node."""
    weight = node.constant(1)
    assert weight is not None
    return ungrouped(node, rows, weight.shape).astype(np.float32)


def corrected_bias(node: Node, rows: Array, seen: Moments | None) -> Array | None:
    """The bias plus the mean of what the layer lost, in ``few_digits``."""
    bias, weight = node.constant(2), node.constant(1)
    if bias is None or weight is None or seen is None:
        return None
    exact = np.einsum("grk,gk->gr", grouped(node, weight), seen.reference_mean)
    lost = exact - np.einsum("grk,gk->gr", rows, seen.mean)
    return few_digits(bias + lost.reshape(-1))


def without_moments(node: Node, under: Overlay) -> Seen:
    """What is known of the layer without data."""
    weight = node.constant(1)
    assert weight is not None
    exact, present = grouped(node, weight), grouped(node, under.constants.get((node.name, 1), weight))
    return Seen(node, exact, present, present, None, under.grids.get((node.name, 1)))


def with_moments(node: Node, moments: Moments, under: Overlay) -> Seen:
    """What is seen of the layer; a weight on a grid is its own target, since only its codes can be chosen anew."""
    seen = without_moments(node, under)
    h = damped(moments.own, LEAST_DAMPING + SCARCE * moments.own.shape[2] / moments.rows)
    target = seen.present
    if seen.grid is None and moments.pull is not None:
        # damping towards E[y x^T] = E[x x^T] keeps directions without evidence as they are
        pull = moments.pull + seen.weight @ (h - moments.own)
        target = np.linalg.solve(h.transpose(0, 2, 1), pull.transpose(0, 2, 1)).transpose(0, 2, 1)
    return Seen(node, seen.weight, seen.present, target, h, seen.grid, moments)
