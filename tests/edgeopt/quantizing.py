"""Plans of quantization carried out as the search carries out solutions."""

from __future__ import annotations

from edgeopt.evaluate.data import generated
from edgeopt.forms.applied import Solved, applied
from edgeopt.forms.form import Evidence
from edgeopt.forms.quantize.technique import Quantize, QuantizeSession
from edgeopt.ir import Graph
from edgeopt.ops.grid import scheme
from edgeopt.ops.grids import QuantizationPlan
from edgeopt.rewrite import Context


def solved(graph: Graph, plan: QuantizationPlan) -> Solved:
    """``plan`` as a solution of a session of its own."""
    return [(QuantizeSession(Quantize(), Evidence(graph), (scheme("w8a8"),), generated(graph, 1)), plan)]


def variant(graph: Graph, plan: QuantizationPlan, level: int) -> Graph:
    """A copy of the optimised float ``graph`` in which ``plan`` is carried out."""
    return applied(graph, solved(graph, plan), Context(level=level))
