"""Chosen values of a graph on many samples, by the code that is compiled for the graph: quick, and what a device computes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.ir import Array, Graph
from edgeopt.ir.clone import clone
from edgeopt.ir.match import shape_of
from edgeopt.target import host

AT_ONCE = 256  # samples of one call, so that results are let go piece by piece


class Probe:
    """The values ``names`` of ``graph``, compiled for this machine. Raises EdgeoptError as ``assemble`` does."""

    def __init__(self, graph: Graph, names: Sequence[str], level: int = 1) -> None:
        made = clone(graph)
        values = {v.name: v for v in (*made.inputs, *(out for node in made.nodes for out in node.outputs))}
        made.outputs = [values[name] for name in dict.fromkeys(names)]
        shapes = [shape_of(value) for value in (*made.inputs, *made.outputs)]
        self._graph, self._together = graph, all(shapes) and len({shape[0] for shape in shapes if shape}) == 1
        self._model = assemble(made, host(), level)

    def __call__(self, data: DataSet) -> dict[str, Array]:
        """Each value on all calls of ``data``, one behind the other along the leading axis."""
        data, step = fitted(data, self._graph), AT_ONCE if self._together else 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nodes without a kernel: the compilation of what is chosen will warn
            pieces = [self._model.run(data.take(slice(i, i + step)).arrays) for i in range(0, len(data), step)]
        return {name: np.concatenate([np.atleast_1d(piece[name]) for piece in pieces]) for name in pieces[0]}
