"""Training of weights and biases as they are, with what keeps them small or sparse added to the loss.

``l1`` and ``l2`` are the usual norms, ``group_lasso`` the sum of the norms of output channels (Wen et al., Learning structured
sparsity, 2016, equation 1), each times its factor.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax.numpy as jnp

from edgeopt.ops.grids import weight_axis
from edgeopt.training.layers import Layers
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import Phase, State, masks, weights

SMALL = 1e-12  # under a root, whose slope at zero is infinite


@dataclass
class Finetune(Phase):
    """Plain training, from where the network is; weights that were pruned stay zero."""

    l1: float = 0.0
    l2: float = 0.0
    group_lasso: float = 0.0
    share: float = 1.0
    rate: float = 3e-4
    kind: str = "finetune"
    normalized: bool = True
    _axes: dict[str, int] = field(default_factory=dict)

    def begin(self, layers: Layers) -> State:
        """All weights and biases."""
        self._axes = {n.name: weight_axis(n) for n in layers.nodes}
        return State(weights(layers), masks(layers))

    def penalty(self, state: State) -> Traced:
        """The norms of all weights."""
        total: Traced = 0.0
        for (kind, name), array in state.trained.items():
            if kind != "weight":
                continue
            total += self.l1 * jnp.abs(array).sum() if self.l1 else 0.0
            total += self.l2 * jnp.square(array).sum() if self.l2 else 0.0
            total += self.group_lasso * _group_norms(array, self._axes[name]).sum() if self.group_lasso else 0.0
        return total


def _group_norms(weight: Traced, axis: int) -> Traced:
    others = tuple(i for i in range(weight.ndim) if i != axis)
    return jnp.sqrt(jnp.square(weight).sum(others) + SMALL)
