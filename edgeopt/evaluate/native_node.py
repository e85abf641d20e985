"""One node by compiled code on many calls: whatever has a kernel is observed at the speed of one, and means what is compiled."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.apart import is_fixed
from edgeopt.ir import Array, Graph, Node, TensorType, Value
from edgeopt.ops.proto import ProtoWriter
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import host

KEPT = 512
LARGEST = 1 << 26  # bytes of constants and maps; a copy for the code is not worth it beyond
Key = tuple[object, ...]

_models: OrderedDict[Key, CompiledModel | None] = OrderedDict()
_one_at_a_time = Lock()


def run_natively(node: Node, inputs: Sequence[Array | None], calls: int) -> list[Array | None] | None:
    """The outputs of ``node`` on ``calls`` calls that lie one behind the other; None for a node that has no kernel."""
    if not _is_static(node) or any(v is not None and is_fixed(v) and not v.is_constant for v in node.inputs):
        return None
    model = _model(node)
    if model is None:
        return None
    feeds = {}
    for i, (value, array) in enumerate(zip(node.inputs, inputs, strict=True)):
        if value is not None and array is not None and not value.is_constant:
            feeds[f"x{i}"] = np.ascontiguousarray(array).reshape(calls, *_dims(value))
    results = model.run(feeds)
    return [_stacked(results[f"y{i}"], o, calls) if o.name else None for i, o in enumerate(node.outputs)]


def _stacked(array: Array, value: Value, calls: int) -> Array:
    dims = _dims(value)
    return array.reshape(dims if calls == 1 else (calls * dims[0], *dims[1:]) if dims else (calls,))


def _dims(value: Value) -> tuple[int, ...]:
    assert value.type is not None
    return value.type.dims


def _is_static(node: Node) -> bool:
    values = [v for v in [*node.inputs, *node.outputs] if v is not None and v.name]
    plain = all(v.type is not None and v.type.static and v.type.dtype != "string" and 0 not in v.type.dims for v in values)
    computed = [v for v in node.inputs if v is not None and not v.is_constant]
    return plain and bool(computed) and not node.subgraphs and sum(8 * int(np.prod(_dims(v))) for v in values) <= LARGEST


def _model(node: Node) -> CompiledModel | None:
    """The compiled node; equal nodes share theirs."""
    with _one_at_a_time:
        key = _key(node)
        if key not in _models:
            _models[key] = _compiled(node)
            while len(_models) > KEPT:
                _models.popitem(last=False)
        _models.move_to_end(key)
        return _models[key]


def _key(node: Node) -> Key:
    """What the code depends on; a constant stands for itself, which also keeps it alive."""
    writer = ProtoWriter(_opsets(node))
    proto = writer.node(node)  # with its inputs, whose ranks the functions of own operators ask for; without all names then
    for field in ("input", "output", "name", "metadata_props"):
        proto.ClearField(field)
    inputs = [v if v is None or v.is_constant else (v.type, bool(v.name)) for v in node.inputs]
    functions = [f.SerializeToString(deterministic=True) for f in writer.functions.values()]
    return (proto.SerializeToString(deterministic=True), *functions, *inputs, *(o.type if o.name else None for o in node.outputs))


def _opsets(node: Node) -> dict[str, int]:
    return dict(node.graph.root.opsets) if node.graph is not None else {"": 21}


def _compiled(node: Node) -> CompiledModel | None:
    try:
        model = assemble(_alone(node), host())
    except EdgeoptError:
        return None
    return None if model.manifest["fallbacks"] else model


def _alone(node: Node) -> Graph:
    """``node`` in a graph of its own, whose inputs and outputs have one more axis: that of the calls."""
    graph = Graph("node", opsets=_opsets(node))
    operands = [_operand(graph, i, v) for i, v in enumerate(node.inputs)]
    inner = Node(node.op, operands, [Value(f"r{i}" if o.name else "", o.type) for i, o in enumerate(node.outputs)])
    inner.attributes, inner.domain = dict(node.attributes), node.domain
    graph.insert(inner)
    for i, (value, inside) in enumerate(zip(node.outputs, inner.outputs, strict=True)):
        if value.name and value.type is not None:
            result = _reshaped(graph, inside, (1, *value.type.dims), f"y{i}")
            graph.outputs.append(result)
    return graph


def _operand(graph: Graph, index: int, value: Value | None) -> Value | None:
    if value is None or value.type is None:
        return None
    if value.is_constant:
        return graph.constant(f"c{index}", value.array, value.type.dtype)
    outer = Value(f"x{index}", TensorType(value.type.dtype, (1, *value.type.dims)))
    graph.inputs.append(outer)
    return _reshaped(graph, outer, value.type.dims, f"v{index}")


def _reshaped(graph: Graph, value: Value, dims: tuple[int, ...], name: str) -> Value:
    assert value.type is not None
    shape = graph.constant(f"{name}.shape", np.array(dims, np.int64))
    made = Value(name, TensorType(value.type.dtype, dims))
    graph.insert(Node("Reshape", [value, shape], [made]))
    return made
