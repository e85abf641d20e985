"""Layers fitted once more from input to output, each for the inputs that the changed layers before it give.

What a layer cannot say itself, the next ones make up for: each approaches the exact responses, not those of its own weight (He et
al. 2017 and Zhang et al. 2015, section 3.3, "asymmetric reconstruction").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.moments import MomentSum, sampled_rows
from edgeopt.forms.progress import progress
from edgeopt.forms.structure.metric import Metric, after_changes
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.chain import Chains

Solve = Callable[[Node, Metric], Chains]


def fitted_in_order(graph: Graph, data: DataSet, layers: Mapping[str, Node], solve: Solve, under: Overlay) -> dict[str, Chains]:
    """What ``solve`` makes of each of ``layers`` in a network that has the changes ``under``, and those of the layers before."""
    changed, found = replace(under, constants=dict(under.constants)), dict[str, Chains]()
    nodes = [node for node in graph.nodes if node.name in layers]
    with Lockstep(graph, data, [Overlay(), changed]) as runs:
        for node in progress(nodes, "fitting in order"):
            found[node.name] = solve(node, _metric(node, runs, len(data)))
            changed.constants.update(found[node.name].constants(node.name))
    return found


def _metric(node: Node, runs: Lockstep, samples: int) -> Metric:
    total = MomentSum(cross=True)

    def rows(batch: int, arrays: list[Array]) -> list[Array]:
        return sampled_rows(node, arrays, samples, batch)

    for exact, now in runs.reach(node, rows):
        total.add(now, exact)
    return after_changes(node, total.result())
