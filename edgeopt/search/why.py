"""Which layer costs the accuracy: each one changed alone, and each one alone left in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.judge import judged, outputs
from edgeopt.evaluate.observe import Overlay, observe
from edgeopt.forms.applied import Solved, applied
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.macs import macs
from edgeopt.progress import each
from edgeopt.report.times import measurable
from edgeopt.rewrite import Context
from edgeopt.search.space import merged
from edgeopt.search.stored import stored_bytes
from edgeopt.search.timing import Profile, layer_name, profiles
from edgeopt.target import Target

NAMED = 3


@dataclass(frozen=True)
class LayerBlame:
    """One layer. Ratios are signal to noise in decibel, ``own`` at the output of the layer, the others at that of the network.

    ``alone`` and ``without`` are the changes of the metric, in percentage points, when only this layer is quantised and when all
    others are; negative is a loss. ``macs`` is the work, ``bytes_before`` and ``bytes_after`` are those of the weight, and
    ``seconds_before`` and ``seconds_after`` those of the layer in the float and in the quantised network.
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
    seconds_before: float
    seconds_after: float


def blame(graph: Graph, solved: Solved, data: DataSet, target: Target, level: int) -> tuple[float, list[LayerBlame]]:
    """(signal to noise of the whole changed network, a LayerBlame for each layer that is ``solved``, the worst first).

    Times are those of code for ``target`` at optimisation ``level``: measured on this machine, else estimated.
    """
    reference, changed = outputs(graph, data), merged(solved)
    sizes = {n: b for session, s in solved for n, b in session.sizes(s).items()}
    if len(solved) > 1:  # what one technique stores another one codes
        sizes = {node.name: stored_bytes(node, changed) for node in graph.nodes if node.name in sizes}
    whole = outputs(graph, data, changed)
    costs = profiles({"before": graph, "after": applied(graph, solved, Context(level=level))}, target, level)
    nodes = [node for node in graph.nodes if node.name in sizes]
    rows = [_row(graph, solved, data, node, reference, costs, sizes[node.name]) for node in each(nodes)]
    return metrics.signal_to_noise(reference, whole), sorted(rows, key=lambda r: -r.without_ratio)


def _row(
    graph: Graph, solved: Solved, data: DataSet, node: Node, reference: Array, costs: Mapping[str, Profile], size: int
) -> LayerBlame:
    alone, without = merged(solved, [node.name]), _all_but(solved, node)
    own = node.output.name
    exact = observe(graph, [own], data)[own]
    results = observe(graph, [own, judged(graph, data)], data, alone)
    rest = outputs(graph, data, without)
    before, after = (costs[key].layer(node).seconds for key in ("before", "after"))
    result, weight = results[judged(graph, data)], node.constant(1)
    return LayerBlame(
        layer=layer_name(node),
        own=metrics.signal_to_noise(exact, results[own]),
        alone_ratio=metrics.signal_to_noise(reference, result),
        without_ratio=metrics.signal_to_noise(reference, rest),
        alone=metric_change(result, reference, data),
        without=metric_change(rest, reference, data),
        macs=macs(node) or 0,
        bytes_before=0 if weight is None else weight.nbytes,
        bytes_after=size,
        seconds_before=before,
        seconds_after=after,
    )


def _all_but(solved: Solved, node: Node) -> Overlay:
    """Everything changed except the constants of ``node`` and what it alone reads rounded."""
    made = merged(solved)
    for key in [k for k in made.constants if k[0] == node.name]:
        del made.constants[key]
    for value in node.inputs:
        if value is not None and value.users == [node]:
            made.quantizers.pop(value.name, None)
    return made


def metric_change(actual: Array, reference: Array, data: DataSet) -> float:
    """Percentage points of accuracy that are gained; without labels of equal decisions, which can only be lost."""
    if data.labels is not None:
        return metrics.accuracy(actual, data.labels) - metrics.accuracy(reference, data.labels)
    return metrics.agreement(actual, reference) - 100.0


def suggestion(whole: float, rows: list[LayerBlame]) -> str:
    """What to do: the layer whose return to float gains most, with what that costs, and the layers that become slower."""
    if not rows:
        return "there is no layer to change"
    slower = [r.layer for r in rows if _timed(r) and r.seconds_after > r.seconds_before]
    names = ", ".join(f"'{n}'" for n in slower[:NAMED]) + (f" and {len(slower) - NAMED} more" if len(slower) > NAMED else "")
    return _worst(whole, rows[0]) + (f"; changed so, {names} would be slower" if slower else "")


def _timed(row: LayerBlame) -> bool:
    return measurable(row.seconds_before, row.seconds_after)


def _worst(whole: float, row: LayerBlame) -> str:
    gain = row.without_ratio - whole
    if gain < 1.0:
        return f"no single layer is to blame: '{row.layer}' in float gains only {max(gain, 0.0):.1f} dB over {whole:.1f}"
    cost = f"{1e6 * (row.seconds_before - row.seconds_after):+,.1f} µs and " if _timed(row) else ""
    return (
        f"leave '{row.layer}' in float (--keep-float): the network's signal to noise rises from {whole:.1f} "
        f"to {whole + gain:.1f} dB for {cost}{row.bytes_before - row.bytes_after:+,} bytes"
    )
