"""Collects steps with symbolic operands while nodes are lowered, then resolves them to places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeopt.ir import Node, Value, numpy_dtype
from edgeopt.kernels.call import Input, KernelCall, Operand, Origin, Output, Packed, Temporary
from edgeopt.lower.demand import require_memory
from edgeopt.lower.memory import padded
from edgeopt.lower.overlap import Overlap, shared
from edgeopt.lower.packing import packed
from edgeopt.lower.plan import Buffer, lower_bound, plan
from edgeopt.lower.program import Binding, HostStep, Jump, Place, Program, Step, WeightBlock
from edgeopt.lower.storage import Storage, Store

Symbol = Storage | Place | Buffer


@dataclass(eq=False)
class Label:
    """A position among the native steps that jumps lead to; ``index`` counts all steps and is set when it is placed."""

    index: int = -1


@dataclass
class _Pending:
    call: KernelCall
    symbols: list[Symbol]
    dtypes: tuple[str, ...]
    sizes: tuple[int, ...]
    node: Node
    jump: tuple[Label, Storage | None] | None = None


@dataclass
class _PendingHost:
    node: Node
    inputs: list[tuple[Value, Storage | None] | None]
    outputs: list[tuple[Value, Storage | None]]
    reason: str


@dataclass(frozen=True)
class _Mark:
    steps: int
    buffers: dict[Buffer, tuple[int, int]]
    weights: int
    placed: int
    scratch: int


class Emission:
    """Steps in order of execution; buffers learn their lifetimes as they are used."""

    def __init__(self) -> None:
        self._steps: list[_Pending | _PendingHost] = []
        self._weights = WeightBlock()
        self._buffers: dict[Buffer, None] = {}
        self._placed: list[Storage] = []  # constants that have a place in the weight block
        self._scratch = 0
        self._overlaps: list[Overlap] = []

    def calls(
        self, node: Node, calls: Sequence[KernelCall], inputs: Sequence[Storage | None], outputs: Sequence[Storage]
    ) -> None:
        """Append the calls of one node. Temporaries of the same name are shared among them."""
        shared: dict[str, Buffer] = {}
        for call in calls:
            scratch = 0
            symbols: list[Symbol] = []
            dtypes = []
            for operand in call.operands:
                if isinstance(operand, Temporary) and operand.per_thread:
                    symbols.append(Place("scratch", scratch))
                    scratch += padded(_bytes(operand))
                else:
                    symbols.append(self._symbol(operand, inputs, outputs, shared, node))
                dtypes.append(_dtype(operand, inputs, outputs))
            self._scratch = max(self._scratch, scratch)
            sizes = tuple(_size(operand, inputs, outputs) for operand in call.operands)
            self._note_overlaps(call, inputs, outputs)
            self._steps.append(_Pending(_without_data(call), symbols, tuple(dtypes), sizes, node))

    def _note_overlaps(self, call: KernelCall, inputs: Sequence[Storage | None], outputs: Sequence[Storage]) -> None:
        for index, lag in call.overlaps:
            source, made = inputs[index], outputs[0]
            whole = source is not None and source.delta == made.delta == 0 and source.buffer is not made.buffer
            if whole and source is not None and source.buffer is not None and made.buffer is not None:
                self._overlaps.append(Overlap(len(self._steps), source.buffer, made.buffer, lag))

    def host(
        self,
        node: Node,
        inputs: Sequence[Storage | None],
        outputs: Sequence[Storage | None],
        captured: Sequence[tuple[Value, Storage | None]],
        reason: str,
    ) -> None:
        """Append a node that the host runs. ``captured`` are the outer values its subgraphs read."""
        for storage in [*inputs, *outputs, *(s for _, s in captured)]:
            if storage is not None:
                self._touch(storage.buffer)
        given = [None if v is None else (v, s) for v, s in zip(node.inputs, inputs, strict=True)]
        made = list(zip(node.outputs, outputs, strict=True))
        self._steps.append(_PendingHost(node, [*given, *captured], made, reason))

    # -- control flow

    def place(self, label: Label) -> None:
        """The next step is where jumps to ``label`` lead."""
        label.index = len(self._steps)

    def jump(self, label: Label, unless: Storage | None = None) -> None:
        """After the last step execution goes on at ``label``; with ``unless``, only where that byte is zero."""
        step = self._steps[-1]
        assert isinstance(step, _Pending) and step.jump is None
        step.jump = (label, unless)

    def falls_through(self, label: Label) -> bool:
        """True when the last step was emitted behind ``label`` and has no jump yet."""
        last = self._steps[-1] if len(self._steps) > label.index else None
        return isinstance(last, _Pending) and last.jump is None

    def keep(self, storage: Storage) -> None:
        """``storage`` is in use from here on."""
        self._touch(storage.buffer)

    @property
    def count(self) -> int:
        """The number of steps so far."""
        return len(self._steps)

    def keep_for_last(self, storage: Storage) -> None:
        """``storage`` is in use until the last step so far."""
        if storage.buffer is not None:
            storage.buffer.last = max(storage.buffer.last, len(self._steps) - 1)

    def repeated(self, label: Label) -> None:
        """The steps from ``label`` on run again: what lives before them and is used in them lives until here."""
        for buffer in self._buffers:
            if 0 <= buffer.first < label.index <= buffer.last:
                buffer.last = len(self._steps)

    def mark(self) -> _Mark:
        """The state, to come back to when a node turns out not to have a native form."""
        buffers = {b: (b.first, b.last) for b in self._buffers}
        return _Mark(len(self._steps), buffers, self._weights.mark(), len(self._placed), self._scratch)

    def back_to(self, mark: _Mark) -> None:
        """Forget what was emitted since ``mark``."""
        del self._steps[mark.steps :]
        for buffer in self._buffers.keys() - mark.buffers.keys():
            buffer.first = buffer.last = -1
        self._buffers = dict.fromkeys(mark.buffers)
        for buffer, (first, last) in mark.buffers.items():
            buffer.first, buffer.last = first, last
        while len(self._placed) > mark.placed:
            self._placed.pop().place = None
        self._weights.back_to(mark.weights)
        self._scratch = mark.scratch

    def finish(self, name: str, store: Store) -> Program:
        """Plan the memory and resolve every operand."""
        graph = store.graph
        buffers = list(self._buffers)
        require_memory(graph, lower_bound(buffers), self._weights.size)
        arena = self._planned(buffers)
        steps = [self._resolve(s) for s in self._steps]
        outputs = [_port(store, v, Place("output", i)) for i, v in enumerate(graph.outputs)]
        inputs = [_port(store, v, Place("input", i)) for i, v in enumerate(graph.inputs)]
        bound = min(lower_bound(buffers), arena)
        return Program(name, steps, inputs, outputs, arena, self._scratch, bound, self._weights, buffers=buffers)

    def _planned(self, buffers: list[Buffer]) -> int:
        """Give every buffer its offset; returns the bytes of the arena."""
        alone = any(isinstance(s, _PendingHost) or s.jump is not None for s in self._steps)
        overlaps = [] if alone else self._overlaps
        pieces = shared(buffers, overlaps)
        arena = plan([whole for whole, _ in pieces])
        for whole, shifts in pieces:
            for buffer, shift in shifts.items():
                buffer.offset = whole.offset + shift
        tighter, offsets = packed(buffers, overlaps) if overlaps else (arena, [])
        if tighter < arena:
            for buffer, offset in zip(buffers, offsets, strict=True):
                buffer.offset = offset
        return min(arena, tighter)

    def _symbol(
        self,
        operand: Operand,
        inputs: Sequence[Storage | None],
        outputs: Sequence[Storage],
        shared: dict[str, Buffer],
        node: Node,
    ) -> Symbol:
        if isinstance(operand, Packed):
            return self._weights.add(operand.array, operand.origin, node.name)
        if isinstance(operand, Temporary):
            buffer = shared.setdefault(operand.name, Buffer(_bytes(operand), -1, -1))
            self._touch(buffer)
            return buffer
        storage = _storage(operand, inputs, outputs)
        if storage.place is None and storage.buffer is None:
            assert storage.tensor.array is not None
            storage.place = self._weights.add(storage.tensor.array, Origin(storage.tensor.array), node.name)
            self._placed.append(storage)
        self._touch(storage.buffer)
        return storage

    def _touch(self, buffer: Buffer | None) -> None:
        if buffer is None:
            return
        self._buffers.setdefault(buffer)
        buffer.first = len(self._steps) if buffer.first < 0 else buffer.first
        buffer.last = len(self._steps)

    def _resolve(self, step: _Pending | _PendingHost) -> Step | HostStep:
        if isinstance(step, _PendingHost):
            inputs = tuple(None if i is None else _binding(*i) for i in step.inputs)
            return HostStep(step.node, inputs, tuple(_binding(*o) for o in step.outputs), step.reason)
        places = tuple(_place(s) for s in step.symbols)
        jump = None if step.jump is None else Jump(self._native(step.jump[0]), _flag(step.jump[1]))
        return Step(step.call, places, step.dtypes, step.node.name, step.node.op, step.sizes, jump)

    def _native(self, label: Label) -> int:
        return sum(isinstance(s, _Pending) for s in self._steps[: label.index])


def _without_data(call: KernelCall) -> KernelCall:
    """``call`` without the weights, which have their place by now."""
    operands = (Packed(np.empty(0, o.array.dtype), o.origin) if isinstance(o, Packed) else o for o in call.operands)
    return replace(call, operands=tuple(operands))


def _flag(storage: Storage | None) -> Place | None:
    return None if storage is None else _place(storage)


def _storage(operand: Operand, inputs: Sequence[Storage | None], outputs: Sequence[Storage]) -> Storage:
    assert isinstance(operand, (Input, Output))
    found = inputs[operand.index] if isinstance(operand, Input) else outputs[operand.index]
    assert found is not None
    return found


def _dtype(operand: Operand, inputs: Sequence[Storage | None], outputs: Sequence[Storage]) -> str:
    if isinstance(operand, Packed):
        return operand.array.dtype.name
    if isinstance(operand, Temporary):
        return operand.dtype
    return _storage(operand, inputs, outputs).tensor.type.dtype


def _size(operand: Operand, inputs: Sequence[Storage | None], outputs: Sequence[Storage]) -> int:
    if isinstance(operand, Packed):
        return int(operand.array.nbytes)
    if isinstance(operand, Temporary):
        return _bytes(operand)
    tensor = _storage(operand, inputs, outputs).tensor
    return tensor.elements * numpy_dtype(tensor.type.dtype).itemsize


def _bytes(operand: Temporary) -> int:
    return operand.size * numpy_dtype(operand.dtype).itemsize


def _place(symbol: Symbol) -> Place:
    if isinstance(symbol, Place):
        return symbol
    if isinstance(symbol, Buffer):
        return Place("arena", symbol.offset)
    place = symbol.located()
    assert place is not None
    return place


def _port(store: Store, value: Value, place: Place) -> Binding:
    """An input or output of the graph, with where it lies in the arena if it does."""
    storage = store.get(value, plain=True) if store.in_arena else None
    at = storage.located() if storage is not None else None
    return Binding(value.name, value.type, place if store.exists(value) else None, at.offset if at is not None else None)


def _binding(value: Value, storage: Storage | None) -> Binding:
    if storage is None:
        return Binding(value.name, value.type, None)
    return Binding(value.name, storage.tensor.type, storage.located())
