"""Recurrent layers in a plan: both weights rounded to nearest, row by row; what the layers read and compute stays float.

The rows of both directions of a layer share their steps, so that standard operators can say what was done.
"""

from __future__ import annotations

import numpy as np

from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.quantize.plan import beyond_half, half
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import QuantizationScheme, weight_quantizer
from edgeopt.ops.grids import QuantizedWeight, RecurrentWeights
from edgeopt.ops.recurrent import CODES, WEIGHTS, recurrent_weights

TOO_FEW = "recurrent layers have no form of less than 4 bits"


def recurrent_nodes(graph: Graph) -> list[Node]:
    """LSTM, GRU and RNN in float32 with constant weights."""
    return [n for n in graph.nodes if recurrent_weights(n) is not None]


def misfits(graph: Graph, scheme: QuantizationScheme) -> dict[str, str]:
    """The recurrent layers that have no form in ``scheme``, with the reason."""
    found = {}
    for node in recurrent_nodes(graph):
        weights = recurrent_weights(node)
        assert weights is not None
        lost = [beyond_half(w) for w in weights] if scheme.weights == "float16" else []
        if reason := next(filter(None, lost), "") if scheme.weights in CODES else TOO_FEW:
            found[node.name] = reason
    return found


def rounded_weights(node: Node, scheme: QuantizationScheme, under: Overlay) -> RecurrentWeights:
    """The codes of both weights of a recurrent layer, those of ``under`` in place of its own."""
    weights = recurrent_weights(node)
    assert weights is not None
    given = [under.constants.get((node.name, i), own) for i, own in zip(WEIGHTS, weights, strict=True)]
    first, second = (half(w) if scheme.weights == "float16" else _nearest(w, scheme) for w in given)
    return first, second


def _nearest(weight: Array, scheme: QuantizationScheme) -> QuantizedWeight:
    bound = np.abs(weight).max(axis=(0, 2)) if scheme.per_channel else np.abs(weight).max()
    grid = weight_quantizer(bound, scheme.weights, 1 if scheme.per_channel else None)
    return QuantizedWeight(grid.quantize(weight), grid)
