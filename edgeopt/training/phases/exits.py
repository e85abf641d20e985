"""Training of a network together with plain heads at the places where it can be left, so that what is seen there tells classes.

The loss is that of the network's end plus ``weight`` times that of each head (Teerapittayanon et al., BranchyNet, 2016, equation
2). The heads are there for the gradients: those that are compiled are fitted afterwards, to what was trained. A head is a
regression on means over a grid of the map, as those are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

import jax.numpy as jnp
import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.forms.exit.head import grids
from edgeopt.forms.exit.points import places
from edgeopt.ir.match import shape_of
from edgeopt.ops.exit_features import Grid
from edgeopt.training.layers import Layers
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import Phase, State, masks, weights

SPREAD = 1e-3  # below which a feature does not vary


@dataclass
class Exits(Phase):
    """``places`` are the first ones that get a head, 0 for all of them."""

    weight: float = 0.5
    places: float = 0
    share: float = 1.0
    rate: float = 1e-3
    kind: str = "exits"
    normalized: bool = True
    _cells: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def begin(self, layers: Layers) -> State:
        """Weights, biases and heads. Raises EdgeoptError for a network that cannot be left early."""
        found = places(layers.graph)[: int(self.places) or None]
        if not found:
            raise EdgeoptError(f"graph '{layers.graph.name}' has no place to leave it early: leave out the phase 'exits'")
        trained, classes = weights(layers), prod(shape_of(layers.graph.outputs[0]) or ())
        for point in found:
            shape = shape_of(point.value) or ()
            grid = grids(shape)[0]
            cells = self._cells[point.value.name] = grid.cells if isinstance(grid, Grid) else None
            count = prod(shape) if cells is None else shape[1] * prod(cells)
            trained["head", point.value.name] = np.zeros((count, classes), np.float32)
            trained["head bias", point.value.name] = np.zeros(classes, np.float32)
        self.reads = list(self._cells)
        return State(trained, masks(layers))

    def beside(self, state: State, inside: Sequence[Traced], loss: Callable[[Traced], Traced]) -> Traced:
        """The losses of the heads."""
        total: Traced = 0.0
        for name, value in zip(self.reads, inside, strict=True):
            seen = _pooled(value, self._cells[name])
            seen = (seen - seen.mean(0)) / jnp.sqrt(seen.var(0) + SPREAD)
            total += self.weight * loss(seen @ state.trained["head", name] + state.trained["head bias", name])
        return total


def _pooled(value: Traced, cells: tuple[int, int] | None) -> Traced:
    """[batch, features] of a value [batch, 1, channels, height, width], or of any other as it is."""
    if cells is None:
        return value.reshape(len(value), -1)
    batch, _, channels, height, width = value.shape
    rows, columns = cells
    return value.reshape(batch, channels, rows, height // rows, columns, width // columns).mean((3, 5)).reshape(batch, -1)
