"""Layer by layer from input to output, each for the inputs that it gets from those quantised before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.lockstep import Lockstep
from edgeopt.evaluate.observe import Overlay
from edgeopt.forms.moments import MomentSum, cut, grouped, sampled_rows
from edgeopt.forms.product_quantize.kept import solved_once
from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.solve import Seen, solve
from edgeopt.forms.progress import progress
from edgeopt.forms.quantize.overlay import overlay_of
from edgeopt.ir import Array, Graph, Node
from edgeopt.ops.codebooks import LookupWeight
from edgeopt.ops.grids import QuantizationPlan

SAMPLES = 512  # that layers are fitted to
ROWS = 256  # inputs that the unit of tables is chosen on
MOST_COLUMNS = 4608  # inputs of an output channel whose correlations are all taken; of more, those of neighbours
NEIGHBOURS = 2304  # inputs in a part of such a layer, at most


def reconstruct(
    graph: Graph, data: DataSet, nodes: Sequence[Node], rate: Rate, plan: QuantizationPlan, under: Overlay, correct: bool = True
) -> dict[str, LookupWeight]:
    """Codewords for each of ``nodes``, in the order of ``graph``; all other layers as ``plan`` quantises them.

    ``under`` is what happens to the weights before. ``correct`` is False for k-means of weights alone, to compare with. Each
    layer that is solved is kept, so that the same work goes on from there when it is stopped and started again.
    """
    data, made = data.subset(SAMPLES), dict[str, LookupWeight]()
    overlays = [under, overlay_of(graph, plan)]
    with Lockstep(graph, data, overlays) as runs:
        for node in progress(nodes, "codewords"):
            source = node.input(0)
            assert source is not None
            seen = _seen(node, runs, len(data), float(plan.activations[source.name].scale), rate.size)
            made[node.name] = solved_once(node, rate, seen, correct, partial(solve, node, rate, seen, correct=correct))
            overlays[1].constants[node.name, 1] = made[node.name].array
            bias = made[node.name].bias
            if bias is not None:
                overlays[1].constants[node.name, 2] = bias
    return made


def _seen(node: Node, runs: Lockstep, samples: int, scale: float, size: int) -> Seen:
    """The moments of what the layer reads in the quantised and in the exact network, and some of the former."""
    parts, kept = parts_of(node, size), list[Array]()
    total = MomentSum(cross=True)

    def rows(batch: int, arrays: list[Array]) -> list[Array]:
        return [cut(part, max(1, parts)) for part in sampled_rows(node, arrays, samples, batch)]

    for exact, own in runs.reach(node, rows):
        if parts:
            total.add(own, exact)
        if sum(part.shape[1] for part in kept) < ROWS:
            kept.append(own[:, :: max(1, own.shape[1] // ROWS)])
    return Seen(total.result() if parts else None, np.concatenate(kept, axis=1), scale, max(1, parts))


def parts_of(node: Node, size: int) -> int:
    """How many equal parts of whole sub-spaces of ``size`` channels are looked at each by itself; 0 where there are none."""
    weight = node.constant(1)
    assert weight is not None
    groups, _, columns = grouped(node, weight).shape
    if columns <= MOST_COLUMNS:
        return 1
    channels = weight.shape[0] if node.op == "FusedGemm" else weight.shape[1]
    equal = (p for p in range(-(-columns // NEIGHBOURS), channels // size + 1) if channels % (p * size) == 0)
    return next(equal, 0) if groups == 1 else 0
