"""Weight sharing while training: the weights of a layer take the values of a table, and the values are trained.

Tables start by k-means whose centroids start evenly over the range (Han, Mao, Dally, Deep Compression, 2016, section 3). The
gradient of a value is the sum over the weights that take it. Which value a weight takes is chosen again now and then, until
``FIXED`` of the phase: the weight itself follows the gradient of what it takes (straight through, Bengio et al., Estimating or
propagating gradients through stochastic neurons, 2013), and takes the value that is nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jax import lax

from edgeopt.evaluate.codebook import shared
from edgeopt.ir import Array
from edgeopt.search.layer_names import fits
from edgeopt.training.layers import NONE, Layers
from edgeopt.training.network import Parameters, Place
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import Key, Phase, State, chooses, key_of, masked, place_of

TABLE, CODES = "table", "codes"
CHOICES = 256  # of codes, until they are fixed


@dataclass
class Share(Phase):
    """``bits`` of a code, the first of those whose pattern fits the name of the layer; biases have tables of ``bias_bits``."""

    bits: Sequence[tuple[str, int]] = (("*", 5),)
    bias_bits: float = 4
    share: float = 1.0
    rate: float = 1e-4
    kind: str = "share"
    normalized: bool = False

    def begin(self, layers: Layers) -> State:
        """A table for each array that has more numbers than that; the others as they are."""
        trained: dict[Key, Traced] = {key_of(place): array for place, array in layers.constants.items()}
        bound: dict[Key, Traced] = {}
        for (name, index), array in layers.constants.items():
            kept, what = layers.kept(name) if index == 1 else np.ones(array.shape, bool), key_of((name, index))[0]
            count = 2 ** self._bits(name, index) - (0 if kept.all() else 1)
            if kept.sum() <= 2 * count:
                bound.update({("mask", name): kept.astype(np.float32)} if index == 1 and not kept.all() else {})
                continue
            book = shared(array.reshape(1, 1, -1).astype(np.float64), None, kept.reshape(1, 1, -1), count)
            if what == "bias":
                del trained[what, name]
            trained[TABLE, what, name] = book.centroids.astype(np.float32)
            bound[CODES, what, name] = book.codes.reshape(array.shape).astype(np.int32)
        return State(trained, bound)

    def _bits(self, name: str, index: int) -> int:
        if index != 1:
            return int(self.bias_bits)
        return next((bits for pattern, bits in self.bits if fits(pattern, name)), 8)

    def constants(self, state: State) -> Parameters:
        """Numbers are looked up in their tables, at whose end there is a zero."""
        made: dict[Place, Traced] = masked(state)
        for (_, what, name), codes in _coded(state).items():
            table = jnp.append(state.trained[TABLE, what, name], 0.0)
            taken = table[jnp.where(codes == NONE, len(table) - 1, codes)]
            if what == "weight":
                own = state.trained[what, name] * (codes != NONE)
                taken = taken + (own - lax.stop_gradient(own))  # nothing, but for gradients
            made[place_of((what, name))] = taken
        return made

    def adapted(self, state: State, moments: Callable[[], Mapping[Key, Array]], last: float, progress: float) -> State:
        """A new choice of the values that weights take, every now and then."""
        if not chooses(last, progress, CHOICES):
            return state
        chosen = {key: _nearest(state, key) for key in _coded(state) if key[1] == "weight"}
        return replace(state, bound={**state.bound, **chosen})

    def end(self, state: State, layers: Layers) -> None:
        """Weights of few values."""
        super().end(state, layers)
        for (_, what, name), codes in _coded(state).items():
            if what == "weight":
                layers.codes[name] = np.asarray(codes)
                layers.forms[name].append(f"{len(state.trained[TABLE, what, name])} values")


def _coded(state: State) -> dict[Key, Traced]:
    """Codes, without the masks of layers that have too few weights for a table, whose zeros stay zero as well."""
    return {key: codes for key, codes in state.bound.items() if key[0] == CODES}


def _nearest(state: State, key: Key) -> Array:
    """Codes of the values that are nearest to the weights of ``key``."""
    place, codes = key[1:], np.asarray(state.bound[key])
    table, weight = (np.asarray(state.trained[each]) for each in ((TABLE, *place), place))
    order = np.argsort(table, kind="stable")
    middles = (table[order][1:] + table[order][:-1]) / 2
    return np.where(codes == NONE, NONE, order[np.searchsorted(middles, weight)]).astype(np.int32)
