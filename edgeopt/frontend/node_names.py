"""Names of nodes: ONNX leaves them out and lets them repeat; here each layer is known by its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from onnx import GraphProto


class NodeNames:
    """Gives the nodes of a model names of their own, in the order of the file.

    A name in the file is kept where it is the first of its kind; a node without one is called by its operator and a number.
    """

    def __init__(self, graph: GraphProto) -> None:
        self._given, self._used, self._counts = set(_names(graph)), set[str](), Counter[str]()

    def name(self, given: str, op: str) -> str:
        """The name of the next node."""
        made = given
        while not made or made in self._used or (not given and made in self._given):
            stem = given or op.lower()
            self._counts[stem] += 1
            made = f"{stem}_{self._counts[stem] - (not given)}"
        self._used.add(made)
        return made


def _names(graph: GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield node.name
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _names(inner)
