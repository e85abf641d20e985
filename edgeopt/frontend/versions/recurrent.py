"""LSTM, GRU and RNN with the batch first -> with the sequence first, the one layout that every runtime knows."""

from __future__ import annotations

from edgeopt.frontend.versions.adapter import ANY_VERSION, Adapter
from edgeopt.ir import Attribute, Node
from edgeopt.ops.definition import Body

STATES = (5, 6)  # initial_h and initial_c: [N, directions, hidden] with the batch first


def _batch_first(node: Node, body: Body) -> None:
    """x [N, T, I], states [N, D, H] -> y [N, T, D, H], states [N, D, H]."""
    names = [f"x{i}" if value is not None else "" for i, value in enumerate(node.inputs)]
    names[0] = body.op("Transpose", ["x0"], perm=[1, 0, 2])
    for index in STATES:
        if node.input(index) is not None:
            names[index] = body.op("Transpose", [names[index]], perm=[1, 0, 2])
    kept: dict[str, Attribute] = {k: v for k, v in node.attributes.items() if k != "layout"}
    results = [f"r{i}" if out.name else "" for i, out in enumerate(node.outputs)]
    body.call(node.op, names, results, "", **kept)
    for index, result in enumerate(results):
        if result:
            body.op("Transpose", [result], f"y{index}", perm=[1, 0, 2] if index else [2, 0, 1, 3])


ADAPTERS = {op: Adapter(ANY_VERSION, _batch_first, lambda node: node.integer("layout", 0) == 1) for op in ("LSTM", "GRU", "RNN")}
