"""What a plan makes of a graph: a copy that is quantised, and its outputs on data as compiled code computes them."""

from __future__ import annotations

import warnings

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, fitted, generated
from edgeopt.forms.quantize.plan import make_plan
from edgeopt.forms.quantize.reconstruct import Repairs
from edgeopt.forms.quantize.sensitivity import by_samples, judged
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ir.match import shape_of
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
    """The judged output of ``graph`` on all calls of ``data``, one behind the other, by the kernels of ``level``.

    The code is that for ``target`` where it runs here, else that for this machine: integer results are the same bits on every
    target, so what is measured here holds on the board.
    """
    model, name = assemble(graph, target if target.runs_here else host(), level), judged(graph, data)
    data = fitted(data, graph)
    parts = [data] if _by_batches(graph) else [data.take(slice(i, i + 1)) for i in range(len(data))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nodes without a kernel: the compilation of what is chosen will warn
        results = [np.atleast_1d(model.run(_feeds(graph, part))[name]) for part in parts]
    return by_samples(np.concatenate(results), data)


def _by_batches(graph: Graph) -> bool:
    """True when one run takes many calls: inputs and outputs agree in their leading axis."""
    shapes = [shape_of(v) for v in [*graph.inputs, *graph.outputs]]
    return all(shapes) and len({s[0] for s in shapes if s}) == 1


def _feeds(graph: Graph, data: DataSet) -> dict[str, Array]:
    arrays = {v.name: data.arrays[v.name] for v in graph.inputs}
    return {v.name: arrays[v.name].reshape(()) if shape_of(v) == () else arrays[v.name] for v in graph.inputs}
