"""Stand-ins for calibration data: generated inputs, and activations brought to the statistics that batch normalisation recorded.

A batch normalisation says what mean and variance its output had in training: offset b and scale |g| per channel (Nagel et al.,
Data-Free Quantization, 2019, section 4.2). Generated inputs are driven through the network whose layers are rescaled, one after
the other, so that every output in front of its activation has that mean and deviation. Ranges and moments are taken there.
"""

from __future__ import annotations

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay, at_once, execute, fed, last_readers
from edgeopt.forms.evidence import ChannelStatistics
from edgeopt.forms.moments import grouped, layer_moments
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.grids import linear_nodes
from edgeopt.rewrite import ORIGIN

MIN_DEVIATION = 1e-6
INPUT_REACH = 2.5  # images are bounded: their extremes lie 2 to 2.5 deviations from the mean


def matched(graph: Graph, data: DataSet, statistics: dict[str, ChannelStatistics]) -> Overlay:
    """The weights and biases under which generated ``data`` gives each layer the statistics known of it.

    ``graph`` is the optimised graph; a layer is known by the original nodes it was made from.
    """
    overlay, layers = Overlay(), {n: s for n in linear_nodes(graph) if (s := _known(n, statistics)) is not None}
    run = {v.name: fed(v, data.arrays[v.name], overlay, len(data)) for v in graph.inputs}
    last = last_readers(graph)
    for node in graph.nodes:
        source = node.input(0)
        if node in layers and source is not None and source.name in run:
            _match(node, run[source.name], layers[node], overlay)
        execute(node, run, overlay, len(data))
        for name in last.get(node, ()):
            del run[name]
    return overlay


def fitted_inputs(graph: Graph, data: DataSet, statistics: dict[str, ChannelStatistics]) -> DataSet:
    """Generated ``data`` limited to ``INPUT_REACH`` deviations and scaled until the first layers answer as strongly as recorded.

    The median over their channels decides, since single filters answer to structure that noise does not have.
    """
    arrays = {}
    for value in graph.inputs:
        array = data.arrays[value.name]
        layer = next(
            (n for n, i in value.uses if i == 0 and n in linear_nodes(graph) and _known(n, statistics) is not None), None
        )
        if array.dtype != np.float32 or layer is None:
            arrays[value.name] = array
            continue
        array = np.clip(array / array.std(), -INPUT_REACH, INPUT_REACH)
        known = _known(layer, statistics)
        assert known is not None
        mean, deviation = _response(layer, array)
        ratio = known.deviation[deviation > 0] / deviation[deviation > 0]
        arrays[value.name] = (array * float(np.median(ratio))).astype(np.float32)
    return DataSet(arrays)


def covers(graph: Graph, statistics: dict[str, ChannelStatistics]) -> bool:
    """True when statistics are known of every layer but those that make the outputs, and calls can run together."""
    last = {v.name for v in graph.outputs}
    inner = [n for n in linear_nodes(graph) if not _feeds_only(n, last)]
    return bool(inner) and at_once(graph) and all(_known(n, statistics) is not None for n in inner)


def _feeds_only(node: Node, names: set[str]) -> bool:
    """True when nothing linear lies between ``node`` and the outputs."""
    reached, pending = set[str](), [node.output]
    while pending:
        value = pending.pop()
        if any(u.is_own("FusedConv", "FusedGemm") for u in value.users):
            return False
        reached.add(value.name)
        pending += [o for u in value.users for o in u.outputs]
    return bool(reached & names)


def _response(node: Node, inputs: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the product of ``node``'s weight and ``inputs``, without bias, per channel."""
    weight = node.constant(1)
    assert weight is not None
    moments, rows = layer_moments(node, inputs, inputs), grouped(node, weight)
    mean = np.einsum("grk,gk->gr", rows, moments.mean).reshape(-1)
    square = np.einsum("grk,gkl,grl->gr", rows, moments.own, rows, optimize=True).reshape(-1)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _known(node: Node, statistics: dict[str, ChannelStatistics]) -> ChannelStatistics | None:
    names = [node.name.split("~")[0], *node.metadata.get(ORIGIN, "").split(",")]
    return next((statistics[name] for name in names if name in statistics), None)


def _match(node: Node, inputs: Array, wanted: ChannelStatistics, overlay: Overlay) -> None:
    weight = node.constant(1)
    assert weight is not None
    mean, deviation = _response(node, inputs)
    dead = deviation < MIN_DEVIATION
    factor = np.where(dead, 1.0, wanted.deviation / np.where(dead, 1.0, deviation))
    shape = [1, -1] if node.op == "FusedGemm" else [-1] + [1] * (weight.ndim - 1)
    overlay.constants[node.name, 1] = (weight * factor.reshape(shape)).astype(np.float32)
    if node.input(2) is not None:
        overlay.constants[node.name, 2] = (wanted.mean - mean * factor).astype(np.float32)
