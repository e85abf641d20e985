"""Outputs of a graph reach the place where whoever runs the code looks for them: the caller's memory, or the arena."""

from __future__ import annotations

from typing import Protocol

from edgeopt.ir import Node, Value
from edgeopt.kernels.call import PLAIN, KernelCall
from edgeopt.kernels.move.relayout import to_plain
from edgeopt.lower.emission import Emission
from edgeopt.lower.program import Place
from edgeopt.lower.storage import Storage, Store
from edgeopt.target import Target


class Lowered(Protocol):
    """What is asked of a lowering whose nodes are emitted."""

    emission: Emission
    store: Store
    target: Target

    def read(self, value: Value, node: Node) -> Storage:
        """Plain storage of a value."""

    def copy(self, node: Node, source: Storage, made: Storage) -> tuple[KernelCall, ...]:
        """The calls that copy plain storage."""


def finish_output(lowering: Lowered, index: int, value: Value) -> None:
    """Bring output ``index`` to its place when its producer could not write there."""
    store = lowering.store
    if not store.exists(value):
        return
    node = value.producer or Node("Identity", [value], [value], name=value.name)
    if store.in_arena:
        return _keep(lowering, value, node)
    place, storage = Place("output", index), store.get(value, plain=True)
    if storage is None:
        source, made = store.get(value, plain=False), store.at(value, place)
        assert source is not None
        return lowering.emission.calls(node, (to_plain(source.tensor, made.tensor, lowering.target),), [source], [made])
    if storage.place != place:
        _copy(lowering, node, storage, store.at(value, place))


def _keep(lowering: Lowered, value: Value, node: Node) -> None:
    """Have an output lie in the arena when the last step is done."""
    storage = lowering.read(value, node)
    if storage.buffer is None:  # a constant
        made = lowering.store.new(value, PLAIN)
        _copy(lowering, node, storage, made)
        lowering.store.put(value, made)
        storage = made
    lowering.emission.keep(storage)


def _copy(lowering: Lowered, node: Node, storage: Storage, made: Storage) -> None:
    lowering.emission.calls(node, lowering.copy(node, storage, made), [storage], [made])
