"""Products that no plan can quantise, and why."""

from __future__ import annotations

from collections.abc import Iterator

from edgeopt.forms.quantize.recurrent import recurrent_nodes
from edgeopt.ir import Graph, Node
from edgeopt.ir.match import dtype_of
from edgeopt.ops.grids import LINEAR, quantizable_nodes
from edgeopt.ops.recurrent import GATES, tile_misfit

NO_KERNEL = {
    "ConvTranspose": "its weight is computed, or it is not over two axes with explicit pads",
    "Einsum": "sums over named axes have no integer kernel",
}


def unquantized(graph: Graph) -> list[tuple[Node, str]]:
    """Every float product outside of ``quantizable_nodes`` and recurrent layers, with the reason, in order."""
    known = {*quantizable_nodes(graph), *recurrent_nodes(graph)}
    found = ((node, _reason(node, inside)) for node, inside in _products(graph) if node not in known)
    return [(node, reason) for node, reason in found if dtype_of(node.output).startswith(("float", "bfloat"))]


def note_of(left: list[tuple[Node, str]]) -> str:
    """One line that names them all by their reasons."""
    by_reason: dict[str, list[str]] = {}
    for node, reason in left:
        by_reason.setdefault(reason, []).append(repr(node))
    return "left in float: " + "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())


def _products(graph: Graph) -> Iterator[tuple[Node, str]]:
    """Float products here and in subgraphs, each with the operator whose body it lies in."""
    for node in graph.nodes:
        if node.is_own(*LINEAR) or node.is_op("Conv", "Gemm", "MatMul", *NO_KERNEL, *GATES):
            yield node, ""
        for inner in node.subgraphs:
            yield from ((found, inside or node.op) for found, inside in _products(inner))


def _reason(node: Node, inside: str) -> str:
    if node.is_op(*NO_KERNEL):
        return NO_KERNEL[node.op]
    if inside:
        return f"inside the body of {inside}"
    if node.is_op(*GATES):
        return tile_misfit(node) or "its weights are computed"
    if dtype_of(node.output) != "float32":
        return f"computed in {dtype_of(node.output)}"
    constants = [v for v in node.inputs[:2] if v is not None and v.is_constant]
    if not constants:
        return "both factors are computed" if node.is_op("MatMul") or node.op == "FusedGemm" else "its weight is computed"
    return "its constant factor is no plain weight" if node.is_op("MatMul") else "its shape or its bias is not known beforehand"
