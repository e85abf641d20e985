"""Runs a graph on many samples and keeps chosen intermediate values.

The samples run together where every operator treats the leading axis as samples, else one by one. An ``Overlay`` replaces
constants and rounds values to a grid on the way, so that a candidate is judged without building its graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import numpy as np
from onnx import NodeProto, helper

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.batched import BATCHED, BATCHED_OWN, round_to_grid
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.interpret import interpret
from edgeopt.ir import OWN_DOMAIN, Array, Graph, Node, Value
from edgeopt.ops import OWN_OPS, evaluate
from edgeopt.ops.definition import Body
from edgeopt.ops.grid import Quantizer

BATCH_BYTES = 2 << 20
MAX_BATCH = 64
SAMPLEWISE = {
    "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat", "Conv", "ConvTranspose",
    "DequantizeLinear", "Div", "Dropout", "Elu", "Erf", "Exp", "Flatten", "Floor", "Gelu",
    "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity",
    "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "Log", "MatMul", "MaxPool", "Mish", "Mul", "Neg",
    "PRelu", "Pad", "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Reshape", "Selu", "Sigmoid", "Slice", "Softmax",
    "Softplus", "Sqrt", "Sub", "Tanh", "Transpose",
}  # fmt: skip


_one_at_a_time = Lock()  # the reference evaluator silences warnings for the whole process while it runs


@dataclass
class Overlay:
    """Changes to a run: ``constants`` by value name, and the Quantizer that each named value is rounded with."""

    constants: dict[str, Array] = field(default_factory=dict)
    quantizers: dict[str, Quantizer] = field(default_factory=dict)


def observe(
    graph: Graph, names: Iterable[str], data: DataSet, overlay: Overlay | None = None, batch: int | None = None
) -> dict[str, Array]:
    """The values ``names`` of ``graph`` on all samples of ``data``, stacked along the leading axis.

    Raises EdgeoptError for a name that is no value of the graph, or an overlay on a graph whose samples run one by one.
    """
    wanted = list(names)
    pieces = [p for _, p in stream(graph, wanted, data, overlay, batch)]
    return {name: np.concatenate([p[name] for p in pieces]) for name in wanted}


def stream(
    graph: Graph, names: Sequence[str], data: DataSet, overlay: Overlay | None = None, batch: int | None = None
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Like ``observe``, but yields (index of the first sample, values) of one batch after the other."""
    together = is_samplewise(graph)
    if overlay is not None and not together:
        raise EdgeoptError(f"graph '{graph.name}' mixes its samples or batches, so it cannot be quantised by calibration")
    step = (batch or batch_size(graph)) if together else 1

    def values(start: int) -> tuple[int, dict[str, Array]]:
        arrays = {k: v[start : start + step] for k, v in data.arrays.items()}
        return start, run(graph, arrays, names, overlay) if together else interpret(graph, arrays, names)

    yield from side_by_side(values, range(0, len(data), step))


def batch_size(graph: Graph) -> int:
    """As many samples as let the largest value stay in the caches, at most ``MAX_BATCH``."""
    sizes = [4 * int(np.prod(o.type.dims)) for n in graph.nodes for o in n.outputs if o.type is not None and o.type.static]
    return min(MAX_BATCH, max(1, BATCH_BYTES // max(sizes, default=1)))


def is_samplewise(graph: Graph) -> bool:
    """True when every value has a leading axis of one sample and every operator is known to keep samples apart."""
    values = [*graph.inputs, *(o for n in graph.nodes for o in n.outputs if o.name)]
    known = all(_keeps_samples(n) for n in graph.nodes)
    return known and all(v.type is not None and v.type.static and v.type.dims[:1] == (1,) for v in values)


def _keeps_samples(node: Node) -> bool:
    return OWN_OPS[node.op].samplewise if node.domain == OWN_DOMAIN else node.op in SAMPLEWISE


def run(graph: Graph, arrays: Mapping[str, Array], names: Iterable[str], overlay: Overlay | None = None) -> dict[str, Array]:
    """The values ``names`` on one batch; values nobody needs any more are dropped on the way."""
    overlay, keep = overlay or Overlay(), set(names)
    environment = {v.name: rounded(v.name, np.asarray(arrays[v.name]), overlay) for v in graph.inputs}
    last = last_readers(graph)
    for node in graph.nodes:
        execute(node, environment, overlay)
        for name in last.get(node, ()):
            if name not in keep:
                del environment[name]
    missing = [name for name in keep if name not in environment]
    if missing:
        raise EdgeoptError(f"there is no value '{missing[0]}' to observe in graph '{graph.name}'")
    return {name: environment[name] for name in keep}


def execute(node: Node, environment: dict[str, Array], overlay: Overlay) -> None:
    """Run one node: its operands are in ``environment``, and its results are put there."""
    results = apply(node, [operand(v, environment, overlay) for v in node.inputs])
    environment.update((o.name, rounded(o.name, r, overlay)) for o, r in zip(node.outputs, results, strict=False) if o.name)


def last_readers(graph: Graph) -> dict[Node, list[str]]:
    """Names of the computed values that are read for the last time by each node; outputs of the graph are never among them."""
    last: dict[str, Node] = {}
    for node in graph.nodes:
        names = [v.name for v in node.inputs if v is not None and not v.is_constant]
        last.update(dict.fromkeys([*names, *(o.name for o in node.outputs if o.name)], node))
    final = {v.name for v in graph.outputs}
    found: dict[Node, list[str]] = {}
    for name, node in last.items():
        if name not in final:
            found.setdefault(node, []).append(name)
    return found


def operand(value: Value | None, environment: Mapping[str, Array], overlay: Overlay) -> Array | None:
    """The array a node reads."""
    if value is None:
        return None
    if value.is_constant:
        return overlay.constants.get(value.name, value.array if value.name not in overlay.constants else None)
    return environment[value.name]


def rounded(name: str, array: Array, overlay: Overlay) -> Array:
    """``array``, the value ``name``, on the grid that ``overlay`` gives it."""
    grid = overlay.quantizers.get(name)
    return array if grid is None else round_to_grid(array, float(grid.scale), int(grid.zero), grid.low, grid.high)


def apply(node: Node, inputs: Sequence[Array | None]) -> list[Array]:
    """The outputs of ``node`` on a batch: compiled loops where there are any, the reference otherwise; own operators by body."""
    if node.domain and node.is_own(node.op) and node.op in OWN_OPS:
        own = BATCHED_OWN.get(node.op)
        made = own(node, inputs) if own is not None else None
        return [made] if made is not None else _run_body(node, inputs)
    if node.is_op("Reshape", "Flatten"):
        return [_reshaped(node, inputs[0])]
    fast = BATCHED.get(node.op) if not node.domain else None
    result = fast(node, inputs) if fast is not None else None
    if result is not None:
        return [result]
    with _one_at_a_time:
        return evaluate(node, inputs)


def _reshaped(node: Node, array: Array | None) -> Array:
    assert array is not None and node.output.type is not None
    return array.reshape(len(array), *node.output.type.dims[1:])


def _run_body(node: Node, inputs: Sequence[Array | None]) -> list[Array]:
    body = Body(node.graph.root.opset if node.graph is not None else 21)
    OWN_OPS[node.op].build(node, body)
    environment = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
    for proto in body.nodes:
        inner = _node(proto.SerializeToString(), body.opset)
        results = apply(inner, [environment[name] if name else None for name in proto.input])
        environment.update(zip(proto.output, results, strict=False))
    return [environment[f"y{i}"] for i in range(len(node.outputs))]


@lru_cache(maxsize=4096)
def _node(serialized: bytes, opset: int) -> Node:
    """A standard node of a body in a graph of its own, so that it is evaluated at the right opset."""
    proto = NodeProto.FromString(serialized)
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    graph = Graph(opsets={"": opset})
    inputs = [Value(name) if name else None for name in proto.input]
    if proto.op_type == "Constant":
        attributes = {a.name: _constant(a) for a in proto.attribute}
    return graph.insert(Node(proto.op_type, inputs, [Value(name) for name in proto.output], attributes, proto.domain))


def _constant(attribute: object) -> object:
    from onnx import numpy_helper

    value = helper.get_attribute_value(attribute)  # type: ignore[arg-type]
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else value
