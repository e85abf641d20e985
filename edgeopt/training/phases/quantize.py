"""Quantisation-aware training: weights and what layers read are rounded on the way, and the steps of the grids are trained.

Rounding passes the gradient on as it is (straight-through), so that the gradient of a step is that of Esser et al., Learned Step
Size Quantization, 2020, equation 3; the logarithms of steps are trained, so that they stay positive. Steps of channels take in
what batch normalisation scales them by at the end, so that codes stay what they were trained to be. Grids, weights and biases
start from the plan that the technique makes and repairs without training: nearest codes of four bits may say nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from edgeopt.forms.quantize.plan import bias_in_range
from edgeopt.ir import Array
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import QuantizationPlan, QuantizedWeight
from edgeopt.training.layers import Layers
from edgeopt.training.narrow import WIDEST, is_odd, odd_codes
from edgeopt.training.network import Parameters, Rounding
from edgeopt.training.operators.definition import Traced
from edgeopt.training.operators.layout import elementwise
from edgeopt.training.phase import Key, Phase, State, as_constants, masked, masks, weights

NOTHING, STEP_OF_ZEROS = 1e-15, 1e-9  # of which the product of two, squared, is a float32


@dataclass
class Quantize(Phase):
    """Grids as in the plan that ``layers`` find."""

    share: float = 1.0
    rate: float = 1e-3
    kind: str = "quantize"
    normalized: bool = True
    _plan: QuantizationPlan = field(default_factory=QuantizationPlan)
    _shared: dict[str, Key] = field(default_factory=dict)  # the step of each rounded value
    _reads: dict[str, str] = field(default_factory=dict)  # the rounded value that a layer multiplies

    def normalizes(self, layer: str) -> bool:
        """A layer whose channels have steps of their own, which take in what it is scaled by."""
        return layer in self._plan.weights and self._plan.weights[layer].grid.axis is not None

    def begin(self, layers: Layers) -> State:
        """Weights, biases, and a step for each channel and for each grid of values."""
        assert layers.planner is not None
        self._plan, trained = layers.planner(layers), weights(layers)
        for name, made in self._plan.weights.items():
            trained["step", name] = _logarithm(made.grid.scale)
            if made.grid.high > WIDEST:  # of fewer values the plan holds those that are nearest, which repairs know nothing of
                trained["weight", name] = made.array
            if made.bias is not None:
                trained["bias", name] = made.bias.astype(np.float32)
        keys: dict[int, Key] = {}
        for value, grid in self._plan.activations.items():
            key = keys.setdefault(id(grid), ("grid", value))
            self._shared[value] = key
            trained.setdefault(key, _logarithm(grid.scale))
        reads = {n.name: n.inputs[0].name for n in layers.nodes if n.inputs[0] is not None}
        self._reads = {name: reads[name] for name in self._plan.weights if reads.get(name) in self._shared}
        return State(trained, masks(layers))

    def constants(self, state: State) -> Parameters:
        """Weights rounded to their grids, biases to that of the sums, whose step is coarse where codes have few bits."""
        made = masked(state)
        for name, weight in self._plan.weights.items():
            step = jnp.exp(_shaped(state.trained["step", name], weight.grid, made[name, 1].ndim))
            made[name, 1] = (_on_odd if is_odd(weight) else _on_grid)(made[name, 1], step, weight.grid)
            if name in self._reads and (name, 2) in made:
                unit = jnp.exp(state.trained["step", name] + state.trained[self._shared[self._reads[name]]])
                made[name, 2] = _whole(made[name, 2] / unit) * unit
        return made

    def rounded(self, state: State) -> Rounding | None:
        """Values that the plan rounds."""

        def rounded(name: str, array: Traced) -> Traced:
            grid = self._plan.activations.get(name)
            if grid is None:
                return array
            step = jnp.exp(state.trained[self._shared[name]])
            return elementwise(lambda turned: _on_grid(turned, step, grid), [array])

        return rounded

    def end(self, state: State, layers: Layers) -> None:
        """A plan with the codes and grids that were trained."""
        trained = {key: np.asarray(array) for key, array in state.trained.items()}
        layers.constants.update(as_constants(trained))
        grids = {v: replace(g, scale=np.exp(trained[self._shared[v]])) for v, g in self._plan.activations.items()}
        plan = replace(self._plan, activations=grids, weights={}, errors={})
        for node in layers.nodes:
            old = self._plan.weights.get(node.name)
            if old is not None:
                made = _weight(old, layers, node.name, np.exp(trained["step", node.name]))
                plan.weights[node.name] = self._in_range(node.name, made, grids)
        layers.plan = plan

    def scaled(self, factors: Mapping[str, Array], layers: Layers) -> None:
        """The same codes, on grids that are multiplied as the weights were."""
        assert layers.plan is not None
        for name, factor in factors.items():
            old = layers.plan.weights[name]
            made = replace(old, grid=replace(old.grid, scale=old.grid.scale * factor), bias=layers.constants[name, 2])
            layers.plan.weights[name] = self._in_range(name, made, layers.plan.activations)

    def _in_range(self, name: str, made: QuantizedWeight, grids: Mapping[str, Quantizer]) -> QuantizedWeight:
        """A layer whose bias has a code at the step of its sums."""
        return bias_in_range(made, None, grids[self._reads[name]]) if name in self._reads else made


def _weight(old: QuantizedWeight, layers: Layers, name: str, scale: Array) -> QuantizedWeight:
    grid = replace(old.grid, scale=scale.astype(np.float32))
    weight = layers.constants[name, 1] * layers.kept(name)
    codes = odd_codes(grid, weight) if is_odd(old) else grid.quantize(weight)
    return QuantizedWeight(codes, grid, layers.constants.get((name, 2)))


def _logarithm(scale: Array) -> Array:
    """Of steps. Those of what is always zero are next to nothing, by whose square gradients cannot be divided."""
    return np.log(np.where(scale < NOTHING, STEP_OF_ZEROS, scale)).astype(np.float32)


def _shaped(vector: Traced, grid: Quantizer, rank: int) -> Traced:
    if grid.axis is None or jnp.ndim(vector) == 0:
        return vector
    return vector.reshape([-1 if i == grid.axis else 1 for i in range(rank)])


def _on_grid(array: Traced, step: Traced, grid: Quantizer) -> Traced:
    """Rounded to the grid; the gradient goes through where codes are not cut off."""
    zero = float(np.asarray(grid.zero).reshape(-1)[0])
    codes: Any = jnp.clip(array / step, grid.low - zero, grid.high - zero)
    return _whole(codes) * step


def _whole(array: Traced) -> Traced:
    """Rounded, with the gradient of what it was."""
    return array + lax.stop_gradient(jnp.rint(array) - array)


def _on_odd(array: Traced, step: Traced, grid: Quantizer) -> Traced:
    """Rounded to odd codes; the gradient goes through between the outermost (Courbariaux et al., BinaryConnect, 2015)."""
    codes = jnp.clip(array / step, grid.low, grid.high)
    return (codes + lax.stop_gradient(jnp.minimum(2 * jnp.floor(codes / 2) + 1, grid.high) - codes)) * step
