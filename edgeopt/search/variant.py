"""What a plan makes of a graph: a copy that is quantised, and its outputs on data as compiled code computes them."""

from __future__ import annotations

import numpy as np

from edgeopt.accuracy.data import DataSet
from edgeopt.assembly import assemble
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.quantization_plan import QuantizationPlan
from edgeopt.pipeline import FORMS, optimize, technique
from edgeopt.rewrite import Context, run_pass
from edgeopt.target import host


def variant(graph: Graph, plan: QuantizationPlan) -> Graph:
    """A copy of the optimised float ``graph`` in which ``plan`` is carried out, ready to be lowered."""
    made, context = clone(graph), Context()
    run_pass(made, technique("quantize")(plan), context)
    run_pass(made, FORMS["widen_weights"], context)
    optimize(made, context.level, context)
    return made


def compiled_outputs(graph: Graph, data: DataSet) -> Array:
    """The first output of ``graph`` on all samples of ``data``, by code for this machine.

    Integer results are the same bits on every target, so what is measured here holds on the board.
    """
    model = assemble(graph, host())
    feeds = {v.name: data.arrays[v.name] for v in graph.inputs}
    return np.asarray(model.run(feeds)[graph.outputs[0].name])
