"""Valid nodes to start from: ONNX's own node tests, the nodes of small networks after optimisation and quantisation, and others

of our own operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto, numpy_helper

from benchmarks.fuzzing.own_nodes import own_nodes
from edgeopt.conformance.coverage import node_tests
from edgeopt.frontend.functions import own_name
from edgeopt.ir import OWN_DOMAIN, Array
from edgeopt.lower.lowering import VIEWS
from edgeopt.lower.table import TABLE

MAX_ELEMENTS = 40_000
SKIPPED = {"Dropout"}  # draws random numbers
OPERATORS = sorted({op for kernel in TABLE for op in kernel.ops} | set(VIEWS) | {"Split", "NonZero", "NonMaxSuppression"})
DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits.onnx"


@dataclass(frozen=True)
class Seed:
    """A node with an array for each of its inputs (None where left out), and what its outputs were declared to be."""

    node: NodeProto
    arrays: tuple[Array | None, ...]
    outputs: tuple[ValueInfoProto, ...]
    opsets: tuple[OperatorSetIdProto, ...]
    functions: tuple[Any, ...] = ()

    @property
    def op(self) -> str:
        """The operator; the functions of our own carry a number in their names."""
        return own_name(self.node.op_type) if self.node.domain == OWN_DOMAIN else self.node.op_type


@cache
def seeds() -> dict[str, list[Seed]]:
    """The valid nodes by operator."""
    found: dict[str, list[Seed]] = {}
    own = [_own_seed(node, arrays) for node, arrays in own_nodes()]
    for seed in [*_from_tests(), *_from_networks(), *own]:
        if seed.op in OPERATORS and seed.op not in SKIPPED and _small(seed):
            found.setdefault(seed.op, []).append(seed)
    return dict(sorted(found.items()))


def _small(seed: Seed) -> bool:
    arrays = [a for a in seed.arrays if a is not None]
    return all(isinstance(a, np.ndarray) and a.dtype != object for a in arrays) and sum(a.size for a in arrays) <= MAX_ELEMENTS


def _from_tests() -> Iterator[Seed]:
    for case in node_tests():
        model, (given, _) = case.model, case.data_sets[0]
        if len(model.graph.node) != 1 or len(model.graph.input) != len(given):
            continue
        arrays = {info.name: _array(value) for info, value in zip(model.graph.input, given, strict=True)}
        yield _seed(model, arrays)


def _array(value: Any) -> Any:
    """The tests give scalars as numbers, and element types that numpy lacks as protos."""
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _seed(model: ModelProto, arrays: dict[str, Any]) -> Seed:
    (node,) = model.graph.node
    arrays = {**{t.name: numpy_helper.to_array(t) for t in model.graph.initializer}, **arrays}
    operands = tuple(arrays[name] if name else None for name in node.input)
    return Seed(node, operands, tuple(model.graph.output), tuple(model.opset_import), tuple(model.functions))


def _from_networks() -> Iterator[Seed]:
    """Nodes of the digits network in every form the compiler gives it; the operators that are ours come from here."""
    from edgeopt.frontend import load
    from edgeopt.interpret import interpret
    from edgeopt.pipeline import optimize

    graph = load(DIGITS)
    optimize(graph, 1)
    integers, *others = _quantized()
    for made in [graph, integers, *others, _sparse(graph), _sparse(integers)]:
        image = {v.name: np.random.default_rng(1).standard_normal(v.type.dims).astype(np.float32) for v in made.inputs if v.type}
        names = [out.name for node in made.nodes for out in node.outputs if out.name]
        values = {**image, **interpret(made, image, names)}
        for node in made.nodes:
            if node.domain:
                yield _own_seed(node, values)


def _quantized() -> Iterator[Any]:
    import edgeopt
    from edgeopt.options import Options

    for scheme in ("w8a8", "w8", "w8a8-dynamic"):
        yield edgeopt.compile(DIGITS, options=Options(quantize=scheme)).graph


def _sparse(graph: Any) -> Any:
    """A copy whose products are stored by every second of their blocks."""
    from edgeopt.forms.sparse import BLOCKS, halved, stored

    return halved(stored(graph, {node.name: next(iter(BLOCKS[node.op])) for node in graph.nodes if node.is_own(*BLOCKS)}))


def _own_seed(node: Any, values: dict[str, Array]) -> Seed:
    """One node of a graph as a model of its own, with the function that gives its meaning."""
    from edgeopt.frontend import export
    from edgeopt.ir import Graph, TensorType, Value

    single = Graph("node", opsets=dict(node.graph.opsets))
    given: dict[str, Array] = {}
    inputs: list[Value | None] = []
    for value in node.inputs:
        if value is None:
            inputs.append(None)
            continue
        given[value.name] = np.asarray(value.array if value.is_constant else values[value.name])
        inputs.append(Value(value.name, value.type or TensorType("float32")))
    single.inputs = list({v.name: v for v in inputs if v is not None}.values())
    by_name = {v.name: v for v in single.inputs}
    operands = [None if v is None else by_name[v.name] for v in inputs]
    made = single.make(node.op, operands, [None] * len(node.outputs), domain=node.domain, attributes=node.attributes)
    for ours, theirs in zip(made.outputs, node.outputs, strict=True):
        ours.type = theirs.type
    single.outputs = list(made.outputs)
    return _seed(export(single), given)
