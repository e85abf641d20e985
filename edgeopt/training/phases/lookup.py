"""Codewords while training: each block of a weight takes the word nearest to it, and gradients move both.

The gradient of what is looked up goes to the words that were taken, and past the choice to the float weight behind it
(straight-through), so that a block may come to lie nearer to another word. Where words of several codebooks add up, the choice
stays as it was found. Words are bytes times a step of each output, as the kernels have them; all other layers are on grids, as in
``quantize``. Starts from the words that are fitted to responses without gradients (Wu et al., Quantized CNN, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax.numpy as jnp
import numpy as np
from jax import lax

from edgeopt.ops.codebooks import LookupWeight
from edgeopt.training.layers import Layers
from edgeopt.training.network import Parameters
from edgeopt.training.operators.definition import Traced
from edgeopt.training.phase import State
from edgeopt.training.phases.quantize import Quantize

UNIT = 32.0  # of a component of a word, which is a byte, so that a step of learning moves it like a weight
LARGEST = 127


@dataclass
class Lookup(Quantize):
    """Codewords as in the tables that ``layers`` find."""

    kind: str = "lookup"
    _tables: dict[str, LookupWeight] = field(default_factory=dict)

    def begin(self, layers: Layers) -> State:
        """Beside what ``quantize`` trains, the words of each codebook."""
        state = super().begin(layers)
        self._tables = dict(layers.tables)
        for name, table in self._tables.items():
            state.trained["weight", name] = table.array
            state.trained["words", name] = (table.books / UNIT).astype(np.float32)
            if table.bias is not None:
                state.trained["bias", name] = table.bias.astype(np.float32)
        return state

    def constants(self, state: State) -> Parameters:
        """Weights are looked up; others are rounded."""
        made = dict(super().constants(state))
        for name, table in self._tables.items():
            words, blocks = _whole(state.trained["words", name]), _blocks(made[name, 1], table)
            made[name, 1] = _looked_up(words, _codes(words, blocks, table), table, made[name, 1])
        return made

    def end(self, state: State, layers: Layers) -> None:
        """Tables of the words and codes that were trained."""
        for name, table in self._tables.items():
            words = _whole(state.trained["words", name])
            codes = _codes(words, _blocks(jnp.asarray(state.trained["weight", name]), table), table)
            books = np.asarray(words).astype(np.int8).reshape(table.books.shape)
            bias = None if table.bias is None else np.asarray(state.trained["bias", name])
            layers.tables[name] = replace(table, codes=np.asarray(codes).astype(np.uint8), books=books, bias=bias)
        super().end(state, layers)
        layers.constants.update({(name, 1): layers.tables[name].array for name in self._tables})


def _whole(words: Traced) -> Traced:
    """Words as bytes; the gradient goes on where they are not cut off."""
    scaled = jnp.clip(words * UNIT, -LARGEST, LARGEST)
    return scaled + lax.stop_gradient(jnp.rint(scaled) - scaled)


def _blocks(weight: Traced, table: LookupWeight) -> Traced:
    """[M, S, taps, C'] of a weight, in steps of its outputs; channels that fill the last block are zero."""
    _, outputs, spaces, *taps = table.codes.shape
    size = table.books.shape[3]
    rows = (weight.T if table.dense else weight).reshape(outputs, table.channels, -1) / table.scale.reshape(-1, 1, 1)
    rows = jnp.pad(rows, ((0, 0), (0, spaces * size - table.channels), (0, 0)))
    return rows.reshape(outputs, spaces, size, -1).swapaxes(2, 3)


def _codes(words: Traced, blocks: Traced, table: LookupWeight) -> Traced:
    """[A, M, S, taps]: the nearest word of the only codebook, or those that there were."""
    count, outputs, spaces, *taps = table.codes.shape
    if count > 1:
        return jnp.asarray(table.codes, jnp.int32)
    own = _of_outputs(words, table)[0]  # [M, S, K, C']
    distance = jnp.square(own).sum(-1)[:, :, None, :] - 2 * jnp.einsum("mstc,mskc->mstk", blocks, own)
    return lax.stop_gradient(distance.argmin(-1).reshape(1, outputs, spaces, *taps))


def _of_outputs(words: Traced, table: LookupWeight) -> Traced:
    """[A, M, S, K, C']: the codebooks that each output looks into, those of its group."""
    count, outputs, spaces = table.codes.shape[:3]
    groups = table.books.shape[1] // spaces
    apart = words.reshape(count, groups, spaces, *table.books.shape[2:])
    return jnp.repeat(apart, outputs // groups, axis=1)


def _looked_up(words: Traced, codes: Traced, table: LookupWeight, weight: Traced) -> Traced:
    """The weight that codes stand for, in the layout of the node, with the gradient of ``weight``."""
    count, outputs, spaces, *taps = table.codes.shape
    flat = codes.reshape(count, outputs, spaces, -1)
    found = jnp.take_along_axis(_of_outputs(words, table), flat[..., None], axis=3).sum(0)  # [M, S, taps, C']
    rows = found.swapaxes(2, 3).reshape(outputs, -1, flat.shape[3])[:, : table.channels] * table.scale.reshape(-1, 1, 1)
    made = rows.reshape(outputs, -1).T if table.dense else rows.reshape(weight.shape)
    return made + weight - lax.stop_gradient(weight)
