"""What LSTM, GRU and RNN share: their operands, strides and activations.

A kernel computes one direction; its chunks are the sequences of the batch, each with its state in scratch memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import numpy_dtype
from edgeopt.kernels.call import Declined, Input, Operand, Output, Packed, Site, Temporary
from edgeopt.kernels.emit.elements import FLOATS, require, scalar, static, wanted
from edgeopt.kernels.integer.quant_operands import LIMITS

_ALPHA = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Elu": 1.0, "Affine": 1.0, "ScaledTanh": 1.0}
_BETA = {"HardSigmoid": 0.5, "Affine": 0.0, "ScaledTanh": 1.0}
_NAMES = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", *_ALPHA)


@dataclass(frozen=True)
class Activation:
    """An activation function of a gate and its two parameters."""

    name: str
    alpha: float
    beta: float


@dataclass(frozen=True)
class Direction:
    """One direction of a recurrent node: its place among the directions, whether it runs backwards, its activations."""

    place: int
    backward: bool
    activations: tuple[Activation, ...]


@dataclass(frozen=True)
class Recurrence:
    """Sizes of a recurrent node; ``batch_major`` is its attribute ``layout``."""

    steps: int
    batch: int
    width: int
    hidden: int
    directions: int
    batch_major: bool

    def constants(self, direction: Direction, gates: int) -> tuple[int, ...]:
        """Steps, width, hidden, backward; then (first, stride per sequence, stride per step) of X and Y, (first, stride) of
        the states, and the first elements of W, R, B and P for this direction."""
        h, d, i = self.hidden, self.directions, direction.place
        if self.batch_major:
            x = (0, self.steps * self.width, self.width)
            y, state = (i * h, self.steps * d * h, d * h), (i * h, d * h)
        else:
            x = (0, self.width, self.batch * self.width)
            y, state = (i * self.batch * h, h, d * self.batch * h), (i * self.batch * h, h)
        weights = (i * gates * h * self.width, i * gates * h * h, i * 2 * gates * h, i * 3 * h)
        return (self.steps, self.width, h, int(direction.backward), *x[1:], *y, *state, *weights)


@dataclass(frozen=True)
class Cell:
    """A tile of the loop over time: ``rows`` sequences x ``vectors`` vectors of ``hidden`` units with ``gates`` gates each.

    The input's part of one sequence lies ``apart`` from the next; a vector of units has ``spread`` gates there, of which the tile
    takes those from ``skipped`` on.
    """

    gates: int
    hidden: int
    units: int
    rows: int
    vectors: int
    apart: int
    spread: int
    skipped: int = 0


def recurrence(site: Site) -> Recurrence:
    """The sizes of ``site``. Raises Declined for dynamic shapes and other element types than floats and bytes."""
    x, w, r = site.given(0), site.given(1), site.given(2)
    static(x, w, r)
    require(x, *FLOATS, *LIMITS)
    major = bool(site.node.integer("layout", 0))
    batch, steps = (x.shape[0], x.shape[1]) if major else (x.shape[1], x.shape[0])
    return Recurrence(steps, batch, x.shape[2], r.shape[2], w.shape[0], major)


def directions(site: Site, defaults: Sequence[str]) -> list[Direction]:
    """The directions of a recurrent node. Raises Declined for unknown activations."""
    kind, count = site.node.text("direction", "forward"), len(defaults)
    places = 2 if kind == "bidirectional" else 1
    given = site.node.attributes.get("activations")
    names = [n.decode() if isinstance(n, bytes) else str(n) for n in given] if isinstance(given, (list, tuple)) else []
    names = names or list(defaults) * places
    alphas, betas = (_reals(site, f"activation_{n}") for n in ("alpha", "beta"))
    made = [_activation(name, alphas, betas) for name in names]
    backward = [kind == "reverse", True]
    return [Direction(i, backward[i], tuple(made[i * count : (i + 1) * count])) for i in range(places)]


def _reals(site: Site, name: str) -> list[float]:
    values = site.node.attributes.get(name)
    return [float(v) for v in values] if isinstance(values, (list, tuple, np.ndarray)) else []


def _activation(name: str, alphas: list[float], betas: list[float]) -> Activation:
    proper = {n.lower(): n for n in _NAMES}.get(name.lower())
    if proper is None:
        raise Declined(f"activation '{name}'")
    alpha = alphas.pop(0) if proper in _ALPHA and alphas else _ALPHA.get(proper, 0.0)
    beta = betas.pop(0) if proper in _BETA and betas else _BETA.get(proper, 0.0)
    return Activation(proper, alpha, beta)


def optional_input(site: Site, index: int, size: int) -> Operand:
    """Input ``index``, or zeros when it is left out."""
    if site.optional(index) is not None:
        return Input(index)
    return Packed(np.zeros(size, numpy_dtype(_real(site))))


def lengths(site: Site, sizes: Recurrence) -> Operand:
    """Input 4, the number of steps of every sequence, or all of them."""
    return Input(4) if site.optional(4) is not None else Packed(np.full(sizes.batch, sizes.steps, np.int32))


def optional_output(site: Site, index: int, size: int) -> Operand:
    """Output ``index``, or scratch memory when nobody asked for it."""
    if wanted(site, index):
        return Output(index)
    return Temporary(f"output{index}", size, dtype=numpy_dtype(_real(site)).name)


def _real(site: Site) -> str:
    """The element type of states: that of x, unless x is codes."""
    dtype = site.given(0).type.dtype
    return "float32" if dtype in LIMITS else dtype


def state(site: Site, name: str, size: int) -> Temporary:
    """Scratch memory of one sequence, in the type the kernel computes in."""
    return Temporary(name, size, True, np.dtype(scalar(site.given(0).type.dtype)).name)
