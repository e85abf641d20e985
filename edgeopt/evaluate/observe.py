"""Runs a graph on many calls and keeps chosen intermediate values.

Calls run together: the values of all lie one behind the other along the leading axis (see ``apart``). An operator that may mix
rows gets them call by call, from compiled code where it has a kernel. An ``Overlay`` replaces constants and rounds values to a
grid on the way, so that a candidate is judged without building its graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.apart import RESHAPES, RULES, is_fixed, keeps_apart
from edgeopt.evaluate.batched import BATCHED, BATCHED_OWN, round_to_grid
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.native_node import run_natively
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ir.match import outer_values, shape_of
from edgeopt.ops import OWN_OPS, evaluate
from edgeopt.ops.definition import Body
from edgeopt.ops.grid import Quantizer
from edgeopt.ops.grids import LINEAR

BATCH_BYTES = 2 << 20
MAX_BATCH = 64

_one_at_a_time = Lock()  # the reference evaluator silences warnings for the whole process while it runs


@dataclass
class Overlay:
    """Changes to a run: ``constants`` by (name of the node, index of its input), and the Quantizer that each named value

    is rounded with. ``grids`` says of constants that lie on a grid on which one, ``parts`` of those that are stored in another
    form, what that is: codes first.
    """

    constants: dict[tuple[str, int], Array] = field(default_factory=dict)
    quantizers: dict[str, Quantizer] = field(default_factory=dict)
    grids: dict[tuple[str, int], Quantizer] = field(default_factory=dict)
    parts: dict[tuple[str, int], tuple[Array, ...]] = field(default_factory=dict)


def observe(
    graph: Graph, names: Iterable[str], data: DataSet, overlay: Overlay | None = None, batch: int | None = None
) -> dict[str, Array]:
    """The values ``names`` of ``graph`` on all calls of ``data``, one behind the other along the leading axis.

    Raises EdgeoptError for a name that is no value of the graph.
    """
    wanted = list(names)
    pieces = [p for _, p in stream(graph, wanted, data, overlay, batch)]
    return {name: np.concatenate([np.atleast_1d(p[name]) for p in pieces]) for name in wanted}


def stream(
    graph: Graph, names: Sequence[str], data: DataSet, overlay: Overlay | None = None, batch: int | None = None
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Like ``observe``, but yields (index of the first call, values) of some calls after the other."""
    data = fitted(data, graph)
    step = (batch or batch_size(graph)) if at_once(graph) else 1

    def values(start: int) -> tuple[int, dict[str, Array]]:
        part = data.take(slice(start, start + step))
        return start, run(graph, part.arrays, names, overlay, len(part))

    yield from side_by_side(values, range(0, len(data), step))


def batch_size(graph: Graph) -> int:
    """As many calls as let the largest value stay in the caches, at most ``MAX_BATCH``; 1 for shapes that data decides."""
    if not at_once(graph):
        return 1
    sizes = [4 * int(np.prod(o.type.dims)) for n in graph.nodes for o in n.outputs if o.type is not None]
    return min(MAX_BATCH, max(1, BATCH_BYTES // max(1, *sizes, 1)))


def at_once(graph: Graph) -> bool:
    """True when many calls can lie in one array: every shape is known, and no subgraph reads values on the side."""
    values = [*graph.inputs, *(o for n in graph.nodes for o in n.outputs if o.name)]
    return not any(n.subgraphs for n in graph.nodes) and all(v.type is not None and v.type.static for v in values)


def run(
    graph: Graph, arrays: Mapping[str, Array], names: Iterable[str], overlay: Overlay | None = None, calls: int = 1
) -> dict[str, Array]:
    """The values ``names`` on ``calls`` calls; values nobody needs any more are dropped on the way."""
    overlay, keep = overlay or Overlay(), set(names)
    environment = {v.name: fed(v, arrays[v.name], overlay, calls) for v in graph.inputs}
    last = last_readers(graph)
    for node in graph.nodes:
        execute(node, environment, overlay, calls)
        for name in last.get(node, ()):
            if name not in keep:
                del environment[name]
    environment.update((v.name, v.array) for v in graph.constants if v.name in keep)
    missing = [name for name in keep if name not in environment]
    if missing:
        raise EdgeoptError(f"there is no value '{missing[0]}' to observe in graph '{graph.name}'")
    return {name: environment[name] for name in keep}


def fed(value: Value, array: Array, overlay: Overlay, calls: int) -> Array:
    """The graph input ``value``; that of one call has exactly the input's shape."""
    shape = shape_of(value)
    return rounded(value.name, np.asarray(array) if calls != 1 or shape is None else array.reshape(shape), overlay)


def execute(node: Node, environment: dict[str, Array], overlay: Overlay, calls: int = 1) -> None:
    """Run one node on ``calls`` calls: its operands are in ``environment``, and its results are put there."""
    inputs = [operand(node, index, environment, overlay) for index in range(len(node.inputs))]
    with np.errstate(all="ignore"):  # whoever looks at the results says what infinity and NaN mean
        results = evaluate(node, inputs, environment) if node.subgraphs else apply(node, inputs, calls)
    for value, result in zip(node.outputs, results, strict=False):
        if value.name and result is not None:
            environment[value.name] = rounded(value.name, result, overlay)


def reads(node: Node) -> list[str]:
    """Names of the computed values that ``node`` reads, also those that only its subgraphs do."""
    return [v.name for v in [*node.inputs, *outer_values(node)] if v is not None and not v.is_constant]


def last_readers(graph: Graph) -> dict[Node, list[str]]:
    """Names of the computed values that are read for the last time by each node; outputs of the graph are never among them."""
    last: dict[str, Node] = {}
    for node in graph.nodes:
        last.update(dict.fromkeys([*reads(node), *(o.name for o in node.outputs if o.name)], node))
    final = {v.name for v in graph.outputs}
    found: dict[Node, list[str]] = {}
    for name, node in last.items():
        if name not in final:
            found.setdefault(node, []).append(name)
    return found


def operand(node: Node, index: int, environment: Mapping[str, Array], overlay: Overlay) -> Array | None:
    """The array that ``node`` reads as input ``index``."""
    value = node.input(index)
    if value is None:
        return None
    return overlay.constants.get((node.name, index), value.array) if value.is_constant else environment[value.name]


def rounded(name: str, array: Array, overlay: Overlay) -> Array:
    """``array``, the value ``name``, on the grid that ``overlay`` gives it."""
    grid = overlay.quantizers.get(name)
    return array if grid is None else round_to_grid(array, float(grid.scale), int(grid.zero), grid.low, grid.high)


def apply(node: Node, inputs: Sequence[Array | None], calls: int = 1) -> Sequence[Array | None]:
    """The outputs of ``node`` on ``calls`` calls: compiled loops over all where there are any, else what ``_alone`` does."""
    if node.is_op(*RESHAPES) and shape_of(node.output) is not None:
        return [_reshaped(node.output, inputs[0], 1 if is_fixed(node.output) else calls)]
    if calls != 1 and not keeps_apart(node):
        return _alone(node, inputs, calls)
    if node.is_own(*OWN_OPS):
        own = BATCHED_OWN.get(node.op)
        made = own(node, inputs) if own is not None else None
        if made is not None:
            return [made]
        return _run_body(node, inputs) if node.is_own(*LINEAR) else _alone(node, inputs, calls)
    fast = BATCHED.get(node.op) if not node.domain else None
    result = fast(node, inputs) if fast is not None else None
    if result is not None:
        return [result]
    if fast is None and node.op in RULES and not node.domain:
        with _one_at_a_time:
            return evaluate(node, inputs)
    return _alone(node, inputs, calls)


def _alone(node: Node, inputs: Sequence[Array | None], calls: int) -> Sequence[Array | None]:
    """Call by call: natively, else by the reference."""
    calls = 1 if is_fixed(node.output) else calls
    made = run_natively(node, inputs, calls) if not node.is_own(*LINEAR) else None
    if made is not None:
        return made
    computed = [v is not None and not is_fixed(v) for v in node.inputs]
    results = []
    for call in range(calls):
        parts = [_part(v, a, call) if calls > 1 and c else a for v, a, c in zip(node.inputs, inputs, computed, strict=True)]
        with _one_at_a_time:
            results.append(evaluate(node, parts))
    return results[0] if calls == 1 else [np.concatenate([np.atleast_1d(r[i]) for r in results]) for i in range(len(results[0]))]


def _part(value: Value | None, array: Array | None, call: int) -> Array | None:
    dims = shape_of(value)
    assert array is not None and dims is not None
    return array[call] if not dims else array[call * dims[0] : (call + 1) * dims[0]]


def _reshaped(value: Value, array: Array | None, calls: int) -> Array:
    dims = shape_of(value)
    assert array is not None and dims is not None
    return array.reshape(dims if calls == 1 else (calls * dims[0], *dims[1:]) if dims else (calls,))


def _run_body(node: Node, inputs: Sequence[Array | None]) -> list[Array | None]:
    body = Body(node.graph.root.opset if node.graph is not None else 21)
    OWN_OPS[node.op].build(node, body)
    environment: dict[str, Array | None] = {f"x{i}": array for i, array in enumerate(inputs) if array is not None}
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
    value = helper.get_attribute_value(attribute)  # type: ignore[arg-type]
    return numpy_helper.to_array(value) if hasattr(value, "raw_data") else value
