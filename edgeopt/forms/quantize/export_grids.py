"""Grids for what other runtimes want rounded besides the inputs of layers, and the names of what stays in float.

A runtime whose integer convolution has no float result leaves a convolution in float that nothing rounds; an accelerator without
float wants every value rounded.
"""

from __future__ import annotations

from dataclasses import replace

from edgeopt.evaluate.calibration import METHODS, calibrate, collect, merged
from edgeopt.evaluate.data import DataSet
from edgeopt.ir import Graph, Node, Value
from edgeopt.ir.match import dtype_of, sole_user
from edgeopt.ops.grid import QuantizationScheme
from edgeopt.ops.grids import QuantizationPlan, limits_a_sum, linear_nodes, sharing_grids

SAMPLES = 128
ROUNDING = ("QuantizeLinear", "DequantizeLinear")


def completed(
    graph: Graph, plan: QuantizationPlan, data: DataSet, scheme: QuantizationScheme, method: str, everything: bool
) -> QuantizationPlan:
    """``plan`` with grids for the results of quantised convolutions, or for every float32 value of ``graph``.

    No layer reads these values, so a ``method`` that asks what layers make of a range gives way to the least squared error.
    """
    method = method if method in METHODS else "mse"
    chosen = _everything(graph) if everything else _results(graph, plan)
    wanted = [v for v in chosen if v.name not in plan.activations]
    known = [v for v in _everything(graph) if v.name in plan.activations]
    seen = collect(graph, [v.name for v in wanted], data.subset(SAMPLES)) if wanted else {}
    activations = dict(plan.activations)
    for group in sharing_grids(graph, [*known, *wanted]):
        given = next((plan.activations[v.name] for v in group if v.name in plan.activations), None)
        new = [v.name for v in group if v.name in seen]
        if new:
            grid = given or calibrate(merged(seen[n] for n in new), method, scheme.activations, scheme.symmetric)
            activations.update(dict.fromkeys(new, grid))
    return replace(plan, activations=activations)


def _results(graph: Graph, plan: QuantizationPlan) -> list[Value]:
    layers = [n for n in linear_nodes(graph) if n.name in plan.weights and n.op == "FusedConv"]
    return [n.output for n in layers if n.output.uses and not any(limits_a_sum(u) for u in n.output.users)]


def _everything(graph: Graph) -> list[Value]:
    values = [*graph.inputs, *(o for n in graph.nodes for o in n.outputs)]
    return [v for v in values if dtype_of(v) == "float32" and not any(limits_a_sum(user) for user in v.users)]


def float_nodes(graph: Graph) -> list[str]:
    """Names of the nodes of a graph in standard form that compute in float: their inputs or results are not rounded."""
    return [n.name for n in graph.nodes if not n.is_op(*ROUNDING) and not _is_integer(graph, n)]


def _is_integer(graph: Graph, node: Node) -> bool:
    ins = [v for v in node.inputs if dtype_of(v) == "float32" and not (node.is_op("Clip") and v is not node.input(0))]
    outs = [o for o in node.outputs if dtype_of(o) == "float32"]
    return all(v is not None and _is_read_rounded(v, node) for v in ins) and all(_is_rounded_at_once(graph, o) for o in outs)


def _is_read_rounded(value: Value, reader: Node) -> bool:
    if reader.is_op("Relu", "Clip") and sole_user(value) is reader:
        return True  # part of the operator before it
    return value.producer is not None and value.producer.is_op("DequantizeLinear")


def _is_rounded_at_once(graph: Graph, value: Value) -> bool:
    reader = sole_user(value)
    return reader is not None and reader.is_op("QuantizeLinear", "Relu", "Clip")
