"""If, Loop and Scan become steps with jumps between them, where every shape is static and every node inside has a kernel.

    If:     test; unless: else     then ...; copy results; jump end     else: ...; copy results     end:
    Loop:   copy states; turn = 0     head: turn < trips and condition; unless: end     body ...; copy states; turn + 1; jump head
            end:

Memory that lives before a loop and is used in it lives until its end. A layout conversion made inside is forgotten afterwards,
for it may not have run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Protocol

import numpy as np

from edgeopt.ir import Array, Graph, Node, TensorType, Value, numpy_dtype
from edgeopt.kernels.call import PLAIN, Declined, KernelCall, Tensor
from edgeopt.kernels.control import condition, turn
from edgeopt.lower.emission import Emission, Label
from edgeopt.lower.plan import Buffer
from edgeopt.lower.storage import Storage, Store
from edgeopt.ops.turns import goes_on, known_turns

CONTROL = ("If", "Loop", "Scan")
SCALAR, FLAG = TensorType("int64", ()), TensorType("bool", ())
ENDLESS = np.asarray(np.iinfo(np.int64).max)


class Body(Protocol):
    """What lowering control flow asks of the lowering it is a part of."""

    emission: Emission
    store: Store

    def body(self, graph: Graph) -> None:
        """Lower the nodes of a subgraph. Raises Declined when one has no kernel."""

    def read(self, value: Value, node: Node) -> Storage:
        """Plain storage of a value."""

    def copy(self, node: Node, source: Storage, made: Storage) -> tuple[KernelCall, ...]:
        """The calls that copy plain storage."""


def lower_control(lowering: Body, node: Node) -> None:
    """Emit the steps of an If, Loop or Scan node. Raises Declined, with nothing emitted, where it has no native form."""
    mark, known = lowering.emission.mark(), lowering.store.snapshot()
    try:
        made = {"If": _lower_if, "Loop": _lower_loop, "Scan": _lower_scan}[node.op](lowering, node)
    except Declined:
        lowering.emission.back_to(mark)
        lowering.store.restore(known)
        raise
    lowering.store.restore(known)
    for value, storage in zip(node.outputs, made, strict=True):
        lowering.store.put(value, storage)


def _lower_if(lowering: Body, node: Node) -> list[Storage]:
    emission, otherwise, end = lowering.emission, Label(), Label()
    results = [_result(lowering, out) for out in node.outputs]
    chosen = lowering.read(_given(node, 0), node)
    flag = _scratch(FLAG)
    emission.calls(node, (condition.test(),), [chosen], [flag])
    emission.jump(otherwise, flag)
    known = lowering.store.snapshot()
    _branch(lowering, node, "then_branch", results)
    emission.jump(end)
    lowering.store.restore(known)
    emission.place(otherwise)
    _branch(lowering, node, "else_branch", results)
    emission.place(end)
    return results


def _branch(lowering: Body, node: Node, name: str, results: Sequence[Storage]) -> None:
    graph, here = _graph(node, name), Label()
    lowering.emission.place(here)
    lowering.body(graph)
    for value, result in zip(graph.outputs, results, strict=True):
        _copy(lowering, node, value, result)
    if not lowering.emission.falls_through(here):
        _nothing(lowering, node)


def _lower_loop(lowering: Body, node: Node) -> list[Storage]:
    body = _graph(node, "body")
    states = [_state(lowering, node, v, b) for v, b in zip(node.inputs[2:], body.inputs[2:], strict=True)]
    endless = len(node.inputs) < 1 or node.inputs[0] is None
    trips = _constant(SCALAR, ENDLESS) if endless else lowering.read(_given(node, 0), node)
    stacks = [_result(lowering, out) for out in node.outputs[len(states) :]]
    ends_early = not goes_on(body)
    if stacks and any(s.tensor.shape[:1] != (known_turns(node, body),) for s in stacks):
        raise Declined("the number of its turns is not known, on which the shape of an output depends")
    going = _scratch(FLAG)
    first = node.input(1)
    start = _constant(FLAG, np.asarray(True)) if first is None else lowering.read(first, node)
    lowering.emission.calls(node, lowering.copy(node, start, going), [start], [going])
    scans = [(value, stack, False) for value, stack in zip(body.outputs[1 + len(states) :], stacks, strict=True)]
    carried = list(zip(body.outputs[1 : 1 + len(states)], states, strict=True))
    if ends_early:
        carried.append((body.outputs[0], going))
    _turns(lowering, node, body, (trips, going), carried, [], scans)
    return [*states, *stacks]


def _lower_scan(lowering: Body, node: Node) -> list[Storage]:
    body, count = _graph(node, "body"), node.integer("num_scan_inputs", 1)
    kept = len(node.inputs) - count
    if node.graph is not None and node.graph.opset < 9:
        raise Declined("a Scan of opset 8 has a batch axis")
    outputs = len(node.outputs) - kept
    _require_leading(node, "scan_input_axes", count)
    _require_leading(node, "scan_output_axes", outputs)
    states = [_state(lowering, node, v, b) for v, b in zip(node.inputs[:kept], body.inputs[:kept], strict=True)]
    sequences = [lowering.read(_given(node, kept + k), node) for k in range(count)]
    trips = sequences[0].tensor.shape[0]
    stacks = [_result(lowering, out) for out in node.outputs[kept:]]
    if any(s.tensor.shape[:1] != (trips,) for s in [*sequences, *stacks]):
        raise Declined(f"a sequence has not the {trips} elements of the first")
    forward, back = (node.integers(f"scan_{k}_directions") or (0,) * n for k, n in (("input", count), ("output", outputs)))
    taken = [(s, v, bool(d)) for s, v, d in zip(sequences, body.inputs[kept:], forward, strict=True)]
    put = [(v, s, bool(d)) for v, s, d in zip(body.outputs[kept:], stacks, back, strict=True)]
    going = _constant(FLAG, np.asarray(True))
    limit = _constant(SCALAR, np.asarray(trips))
    _turns(lowering, node, body, (limit, going), list(zip(body.outputs[:kept], states, strict=True)), taken, put)
    return [*states, *stacks]


def _turns(
    lowering: Body,
    node: Node,
    body: Graph,
    limits: tuple[Storage, Storage],
    carried: Sequence[tuple[Value, Storage]],
    taken: Sequence[tuple[Storage, Value, bool]],
    put: Sequence[tuple[Value, Storage, bool]],
) -> None:
    """The turns of ``body``, whose inputs have their storage already.

    ``limits`` are the number of trips and the condition to go on; ``taken`` are sequences it reads an element of, ``put``
    those it writes one of, each with whether it counts from the end.
    """
    emission, store, head, end = lowering.emission, lowering.store, Label(), Label()
    index, flag = _scratch(SCALAR), _scratch(FLAG)
    emission.calls(node, (turn.start(),), [], [index])
    emission.place(head)
    emission.calls(node, (condition.another_turn(),), [index, *limits], [flag])
    emission.jump(end, flag)
    for sequence, value, reverse in taken:
        element = _element(value, sequence)
        call = turn.take(element.tensor.elements, sequence.tensor.shape[0], reverse)
        emission.calls(node, (call,), [sequence, index], [element])
        store.put(value, element)
    if node.op == "Loop":
        store.put(body.inputs[0], index)
        store.put(body.inputs[1], limits[1])
    lowering.body(body)
    for value, stack, reverse in put:
        source = lowering.read(value, node)
        if source.tensor.shape != stack.tensor.shape[1:]:
            raise Declined(f"'{value.name}' does not have the shape of an element of its output")
        call = turn.put(source.tensor.elements, stack.tensor.shape[0], reverse)
        emission.calls(node, (call,), [source, index], [stack])
    _carry(lowering, node, carried)
    emission.calls(node, (turn.advance(),), [index], [index])
    emission.repeated(head)
    emission.jump(head)
    emission.place(end)


def _carry(lowering: Body, node: Node, carried: Sequence[tuple[Value, Storage]]) -> None:
    """The results of a turn become the states of the next; where one state goes into another, by way of copies."""
    states = {id(state.buffer) for _, state in carried}
    sources = []
    for value, state in carried:
        source = lowering.read(value, node)
        if source.tensor.type.dims != state.tensor.type.dims or source.tensor.type.dtype != state.tensor.type.dtype:
            raise Declined(f"its state '{value.name}' changes its shape or type")
        if source.buffer is not state.buffer and id(source.buffer) in states:
            aside = _scratch(source.tensor.type)
            lowering.emission.calls(node, lowering.copy(node, source, aside), [source], [aside])
            source = aside
        sources.append((source, state))
    for source, state in sources:
        if source.buffer is not state.buffer and state.tensor.elements:
            lowering.emission.calls(node, lowering.copy(node, source, state), [source], [state])


def _state(lowering: Body, node: Node, value: Value | None, inner: Value) -> Storage:
    """Memory for a state, which holds ``value`` first and is what the body reads as ``inner``."""
    if value is None:
        raise Declined("a state has no first value")
    source = lowering.read(value, node)
    if inner.type is None or not inner.type.static or inner.type.dims != source.tensor.type.dims:
        raise Declined(f"its state '{inner.name}' changes its shape")
    made = _scratch(source.tensor.type)
    lowering.emission.keep(made)
    if made.tensor.elements:
        lowering.emission.calls(node, lowering.copy(node, source, made), [source], [made])
    lowering.store.put(inner, made)
    return made


def _copy(lowering: Body, node: Node, value: Value, result: Storage) -> None:
    source = lowering.read(value, node)
    if source.tensor.type.dims != result.tensor.type.dims or source.tensor.type.dtype != result.tensor.type.dtype:
        raise Declined(f"its branches do not agree on the shape of '{value.name}'")
    if result.tensor.elements:
        lowering.emission.calls(node, lowering.copy(node, source, result), [source], [result])


def _nothing(lowering: Body, node: Node) -> None:
    """A step that does nothing of use, for a jump to follow."""
    lowering.emission.calls(node, (condition.test(),), [_constant(FLAG, np.asarray(True))], [_scratch(FLAG)])


def _result(lowering: Body, value: Value) -> Storage:
    """Storage of an output, which is in use from here on."""
    made = lowering.store.new(value, PLAIN)
    lowering.emission.keep(made)
    return made


def _element(value: Value, sequence: Storage) -> Storage:
    type_, dims = sequence.tensor.type, sequence.tensor.shape[1:]
    if value.type is None or not value.type.static or value.type.dims != dims:
        raise Declined(f"'{value.name}' does not have the shape of an element of its sequence")
    return _scratch(TensorType(type_.dtype, dims))


def _scratch(type_: TensorType) -> Storage:
    tensor = Tensor(type_)
    size = max(1, prod(type_.dims)) * numpy_dtype(type_.dtype).itemsize
    return Storage(Value("", type_), tensor, None, Buffer(size, -1, -1))


def _constant(type_: TensorType, array: Array) -> Storage:
    return Storage(Value("", type_), Tensor(type_, PLAIN, array))


def _given(node: Node, index: int) -> Value:
    value = node.input(index)
    if value is None:
        raise Declined(f"input {index} is missing")
    return value


def _graph(node: Node, name: str) -> Graph:
    graph = node.attributes.get(name)
    if not isinstance(graph, Graph):
        raise Declined(f"it lacks its subgraph '{name}'")
    return graph


def _require_leading(node: Node, name: str, count: int) -> None:
    if any(axis != 0 for axis in node.integers(name) or (0,) * count):
        raise Declined("it walks along another axis than the first")
