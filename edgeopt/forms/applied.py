"""What a plan makes of a graph: a copy that is quantised, and its outputs on data as compiled code computes them."""

from __future__ import annotations

import warnings

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, generated
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.forms.quantize.sensitivity import judged
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ops.grid import QuantizationScheme
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.pipeline import QUANTIZING, optimize, technique
from edgeopt.rewrite import Context, run_pass
from edgeopt.target import Target, host


def variant(graph: Graph, plan: QuantizationPlan, level: int) -> Graph:
    """A copy of the float ``graph``, optimised at ``level``, in which ``plan`` is carried out, ready to be lowered."""
    made, context = clone(graph), Context(level=level)
    for name in QUANTIZING:
        run_pass(made, technique(name)(plan), context)
    optimize(made, context.level, context, only=["fold_weight_dequantization"])  # before constants are folded
    optimize(made, context.level, context)
    return made


def nearest(graph: Graph, scheme: QuantizationScheme) -> QuantizationPlan:
    """A plan for timing: weights rounded to nearest, ranges of generated inputs."""
    how = Repairs(adaptive=False, compensate=False, correct_bias=False)
    return make_plan(graph, generated(graph, 2), scheme, None, "minmax", how)


def compiled_outputs(graph: Graph, data: DataSet, target: Target, level: int) -> Array:
    """The judged output of ``graph`` on all samples of ``data``, by the kernels of ``level``.

    The code is that for ``target`` where it runs here, else that for this machine: integer results are the same bits on every
    target, so what is measured here holds on the board.
    """
    model = assemble(graph, target if target.runs_here else host(), level)
    feeds = {v.name: data.arrays[v.name] for v in graph.inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nodes without a kernel: the compilation of what is chosen will warn
        return np.asarray(model.run(feeds)[judged(graph, data)])
