"""How many weights stay, however many of them are worth the same."""

from __future__ import annotations

import numpy as np
import pytest

from edgeopt.evaluate.support import Units
from tests.edgeopt.training.stripes import exact, network

pytest.importorskip("jax", reason="the extra 'tune' is not installed")

from edgeopt.training.layers import layers_of
from edgeopt.training.selection import selected


def test_a_layer_that_is_worth_nothing_leaves_its_place_to_others() -> None:
    layers = layers_of(exact(network()))
    rng = np.random.default_rng(0)
    worth = {n.name: rng.random(layers.constants[n.name, 1].shape) for n in layers.nodes}
    least = layers.nodes[1].name
    worth[least][:] = 0.0
    masks = selected(layers.nodes, worth, Units(), 0.1)
    total = sum(mask.size for mask in masks.values())
    assert masks[least].sum() == 1
    assert sum(mask.sum() for mask in masks.values()) == pytest.approx(0.1 * total, abs=2)
