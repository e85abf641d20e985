"""Layer by layer from input to output, each for the inputs that it gets from those quantised before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.moments import MomentSum, grouped, sampled_rows
from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.solve import Seen, solve
from edgeopt.forms.progress import progress
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.grids import QuantizationPlan

SAMPLES = 512  # that layers are fitted to
ROWS = 256  # inputs that the unit of tables is chosen on
MOST_COLUMNS = 4608  # inputs of an output channel; of more, correlations take too much memory, and codes are the nearest


def reconstruct(
    graph: Graph, data: DataSet, nodes: Sequence[Node], rate: Rate, plan: QuantizationPlan, under: Overlay, correct: bool = True
) -> dict[str, LookupWeight]:
    """Codewords for each of ``nodes``, in the order of ``graph``; all other layers as ``plan`` quantises them.

    ``under`` is what happens to the weights before. ``correct`` is False for k-means of weights alone, to compare with.
    """
    data, made = data.subset(SAMPLES), dict[str, LookupWeight]()
    overlays = [under, overlay_of(graph, plan)]
    with Lockstep(graph, data, overlays) as runs:
        for node in progress(nodes, "codewords"):
            source = node.input(0)
            assert source is not None
            seen = _seen(node, runs, len(data), float(plan.activations[source.name].scale))
            made[node.name] = solve(node, rate, seen, correct=correct)
            overlays[1].constants[node.name, 1] = made[node.name].array
            bias = made[node.name].bias
            if bias is not None:
                overlays[1].constants[node.name, 2] = bias
    return made


def _seen(node: Node, runs: Lockstep, samples: int, scale: float) -> Seen:
    """The moments of what the layer reads in the quantised and in the exact network, and some of the former."""
    weight = node.constant(1)
    assert weight is not None
    small = grouped(node, weight).shape[2] <= MOST_COLUMNS
    total, kept = MomentSum(cross=True), list[Array]()

    def rows(batch: int, arrays: list[Array]) -> list[Array]:
        return sampled_rows(node, arrays, samples, batch)

    for exact, own in runs.reach(node, rows):
        if small:
            total.add(own, exact)
        if sum(part.shape[1] for part in kept) < ROWS:
            kept.append(own[:, :: max(1, own.shape[1] // ROWS)])
    return Seen(total.result() if small else None, np.concatenate(kept, axis=1), scale)
