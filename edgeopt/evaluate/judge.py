"""The output that a network is judged by."""

from __future__ import annotations

from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.observe import Overlay, observe
from edgeopt.ir import Array, Graph
from edgeopt.ir.match import dtype_of


def judged(graph: Graph, data: DataSet) -> str:
    """The output that errors are measured at: the one that the labels of ``data`` belong to, else the first in float32."""
    real = (v.name for v in graph.outputs if not v.is_constant and dtype_of(v) == "float32")
    return data.output or next(real, graph.outputs[0].name)


def by_samples(result: Array, data: DataSet) -> Array:
    """``result`` with a row for each label, where its leading axis is another one than that of the samples."""
    count = len(result) if data.labels is None else len(data.labels)
    return result if len(result) == count or not count or result.size % count else result.reshape(count, -1)


def outputs(graph: Graph, data: DataSet, overlay: Overlay | None = None) -> Array:
    """The judged output of ``graph`` on ``data``."""
    name, data = judged(graph, data), fitted(data, graph)
    return by_samples(observe(graph, [name], data, overlay)[name], data)
