"""Runs a graph operator by operator through ``onnx.reference``: the meaning of a graph, and the oracle of every test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Graph, numpy_dtype
from edgeopt.ops import evaluate
from edgeopt.ops.control import lookup, run_node


def interpret(graph: Graph, inputs: Mapping[str, Array], keep: Iterable[str] = ()) -> dict[str, Array]:
    """The outputs of ``graph`` by name, and the intermediate values named in ``keep``.

    Raises EdgeoptError for an input that is missing, unknown or of another element type, and for a node that fails.
    """
    environment = _inputs(graph, inputs)
    for node in graph.nodes:
        run_node(node, environment, evaluate)
    results = {value.name: lookup(value, environment) for value in graph.outputs}
    constants = {value.name: value for value in graph.constants}
    for name in keep:
        if name not in environment and name not in constants:
            raise EdgeoptError(f"there is no value '{name}' to keep in graph '{graph.name}'")
        results[name] = environment[name] if name in environment else constants[name].array
    return results


def _inputs(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    known = {value.name: value for value in graph.inputs}
    wrong = sorted(set(inputs) ^ set(known))
    if wrong:
        raise EdgeoptError(f"graph '{graph.name}' has the inputs {sorted(known)}; missing or unknown: {wrong}")
    for name, array in inputs.items():
        type_ = known[name].type
        if type_ is not None and type_.proto is None and np.asarray(array).dtype != numpy_dtype(type_.dtype):
            raise EdgeoptError(f"input '{name}' is {np.asarray(array).dtype}, the graph wants {type_}; convert it")
    return dict(inputs)
