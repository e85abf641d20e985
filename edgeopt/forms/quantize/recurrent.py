"""Recurrent layers in a plan: both weights rounded to nearest, row by row; grids for what they read and what their units are.

Where weights and activations have 8 bits, the products are of integers; else what the layers read and compute stays float.

The rows of both directions of a layer share their steps, so that standard operators can say what was done.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.evaluate.calibration import calibrate, collect, merged
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.quantize.plan import beyond_half, half
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grid import QuantizationScheme, Quantizer, from_range, weight_quantizer
from edgeopt.ops.grids import QuantizedWeight, RecurrentGrids, RecurrentWeights
from edgeopt.ops.quantized_recurrent import UNITS, integer_misfit
from edgeopt.ops.recurrent import CODES, WEIGHTS, recurrent_weights

SAMPLES = 128  # that are looked at for grids
TOO_FEW = "recurrent layers have no form of less than 4 bits"
NO_TILES = "the target has no integer tiles for recurrent layers"


def recurrent_nodes(graph: Graph) -> list[Node]:
    """LSTM, GRU and RNN in float32 with constant weights."""
    return [n for n in graph.nodes if recurrent_weights(n) is not None]


def misfits(graph: Graph, scheme: QuantizationScheme, tiles: bool = True) -> dict[str, str]:
    """The recurrent layers that have no form in ``scheme``, with the reason; ``tiles``: the target multiplies their integers."""
    found = {} if tiles or not integer(scheme) else {n.name: NO_TILES for n in recurrent_nodes(graph) if not integer_misfit(n)}
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


def integer(scheme: QuantizationScheme) -> bool:
    """True when recurrent layers multiply integers in ``scheme``."""
    return scheme.weights == "int8" and scheme.activations in ("int8", "uint8")


def float_products(graph: Graph) -> dict[str, str]:
    """The recurrent layers whose weights can be codes and whose products stay float all the same, with the reason."""
    reasons = {n.name: integer_misfit(n) for n in recurrent_nodes(graph)}
    return {name: reason for name, reason in reasons.items() if reason}


def grids_of(graph: Graph, nodes: Sequence[Node], data: DataSet, scheme: QuantizationScheme) -> dict[str, RecurrentGrids]:
    """The grids of the inputs of ``nodes``, by the least squared error, and of their units, by all that ``data`` shows.

    Units that nobody reads are taken to reach from -1 to 1, as far as the usual activations do.
    """
    read = {n: [v.name for v in n.inputs[:1] if v is not None] for n in nodes}
    made = {n: [v.name for v in (*n.outputs[:2], n.input(UNITS)) if v is not None and v.name] for n in nodes}
    seen = collect(graph, [name for n in nodes for name in (*read[n], *made[n])], data.subset(SAMPLES)) if nodes else {}
    how = (scheme.activations, scheme.symmetric)

    def units(node: Node) -> Quantizer:
        if not made[node]:
            return from_range(-1.0, 1.0, *how)
        return calibrate(merged(seen[name] for name in made[node]), "minmax", *how)

    return {n.name: (calibrate(seen[read[n][0]], "mse", *how), units(n)) for n in nodes}
