"""A quantised graph made small for its file: equal constants are stored once, and names that passes made up are short.

Scales, zero points and the names derived from long layer names else take more room than the codes of a small network. Inputs,
outputs, layers and tensors that the model's author named keep their names.
"""

from __future__ import annotations

from edgeopt.ir import Graph, Value

ROUNDING = ("QuantizeLinear", "DequantizeLinear")
PROVENANCE = ("edgeopt.pass", "edgeopt.from")


def compact(graph: Graph) -> None:
    """Share constants and shorten names of ``graph``; what it computes stays as it is.

    Which pass made a node, and of which nodes, is left out; layers still have their names.
    """
    _share_constants(graph)
    for value in [*graph.constants, *(o for n in graph.nodes for o in n.outputs)]:
        if not graph.is_output(value):
            value.name = _short(value.name, "c" if value.is_constant else "t")
    for node in graph.nodes:
        if node.is_op(*ROUNDING):
            node.name = _short(node.name, "q" if node.op == "QuantizeLinear" else "d")
        for key in PROVENANCE:
            node.metadata.pop(key, None)


def _share_constants(graph: Graph) -> None:
    first: dict[tuple[object, ...], Value] = {}
    for value in list(graph.constants):
        if graph.is_output(value):
            continue
        twin = first.setdefault((value.type, value.array.tobytes()), value)
        if twin is not value:
            for node, index in list(value.uses):
                node.set_input(index, twin)
    graph.constants[:] = [v for v in graph.constants if v.uses or graph.is_output(v)]


def _short(name: str, letter: str) -> str:
    """``letter`` and the number that makes a made-up name unique; a name without such a number is the author's."""
    _, mark, number = name.rpartition("~")
    return f"{letter}~{number}" if mark and number.isdigit() else name
