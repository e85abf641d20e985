"""Which layer costs the accuracy: each one quantised alone, and each one alone left in float."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from edgeopt.accuracy import metrics
from edgeopt.accuracy.data import DataSet
from edgeopt.accuracy.observe import Overlay, observe
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.quantization_plan import QuantizationPlan, linear_nodes
from edgeopt.report import macs
from edgeopt.search.sensitivity import outputs, overlay_of

FLOAT_BYTES = 4
BITS = {"int8": 8, "int4": 4, "int2": 2, "float16": 16}


@dataclass(frozen=True)
class LayerBlame:
    """One layer. Ratios are signal to noise in decibel, ``own`` at the output of the layer, the others at that of the network.

    ``alone`` and ``without`` are the changes of the metric, in percentage points, when only this layer is quantised and when all
    others are; negative is a loss. ``macs`` is the work, ``bytes_before`` and ``bytes_after`` are those of the weight.
    """

    layer: str
    own: float
    alone_ratio: float
    without_ratio: float
    alone: float
    without: float
    macs: int
    bytes_before: int
    bytes_after: int


def blame(graph: Graph, plan: QuantizationPlan, data: DataSet) -> tuple[float, list[LayerBlame]]:
    """(signal to noise of the whole quantised network, a LayerBlame for each layer of ``plan``, the worst first)."""
    reference = outputs(graph, data)
    whole = outputs(graph, data, overlay_of(graph, plan))
    nodes = [n for n in linear_nodes(graph) if n.name in plan.weights]
    rows = [_row(graph, plan, data, node, reference) for node in nodes]
    return metrics.signal_to_noise(reference, whole), sorted(rows, key=lambda r: -r.without_ratio)


def _row(graph: Graph, plan: QuantizationPlan, data: DataSet, node: Node, reference: Array) -> LayerBlame:
    alone, without = overlay_of(graph, plan, [node.name]), _all_but(graph, plan, node)
    own = node.output.name
    exact = observe(graph, [own], data)[own]
    results = observe(graph, [own, graph.outputs[0].name], data, alone)
    rest = outputs(graph, data, without)
    result, weight = results[graph.outputs[0].name], plan.weights[node.name]
    return LayerBlame(
        layer=node.name.split("~")[0],
        own=metrics.signal_to_noise(exact, results[own]),
        alone_ratio=metrics.signal_to_noise(reference, result),
        without_ratio=metrics.signal_to_noise(reference, rest),
        alone=_change(result, reference, data),
        without=_change(rest, reference, data),
        macs=macs(node) or 0,
        bytes_before=FLOAT_BYTES * prod(weight.codes.shape),
        bytes_after=-(-prod(weight.codes.shape) * BITS[weight.grid.dtype] // 8),
    )


def _all_but(graph: Graph, plan: QuantizationPlan, node: Node) -> Overlay:
    """Everything quantised except the weight of ``node`` and what it alone reads rounded."""
    made = overlay_of(graph, plan)
    for value in node.inputs:
        if value is None:
            continue
        made.constants.pop(value.name, None)
        if value.users == [node]:
            made.quantizers.pop(value.name, None)
    return made


def _change(actual: Array, reference: Array, data: DataSet) -> float:
    if data.labels is not None:
        return metrics.accuracy(actual, data.labels) - metrics.accuracy(reference, data.labels)
    return metrics.agreement(actual, reference) - 100.0


def suggestion(whole: float, rows: list[LayerBlame]) -> str:
    """One line: the layer whose return to float gains most at the output of the network, and what it gains."""
    if not rows:
        return "there is no layer to quantise"
    gain = rows[0].without_ratio - whole
    if gain < 1.0:
        return f"no single layer is to blame: '{rows[0].layer}' in float gains only {max(gain, 0.0):.1f} dB over {whole:.1f}"
    return f"leave '{rows[0].layer}' in float: the network's signal to noise rises from {whole:.1f} to {whole + gain:.1f} dB"
