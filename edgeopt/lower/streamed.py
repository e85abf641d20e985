"""Lowering of a network whose input is streamed by rows: its first layers run depth-first, on the few rows that each needs.

How far that goes is tried: every layer more keeps rows of its own, and leaves a smaller map for the rest of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, TensorType, Value, numpy_dtype
from edgeopt.ir.clone import clone
from edgeopt.kernels.call import Kernel, Layout, Tensor
from edgeopt.lower.finishing import finish_output
from edgeopt.lower.front import front
from edgeopt.lower.lowering import Lowering, Selection
from edgeopt.lower.plan import Buffer
from edgeopt.lower.ports import Interface, code_ports, describe_ports, left_in_float
from edgeopt.lower.program import Band, Binding, Place, Program, Stream
from edgeopt.lower.rows import RowPiece, Rows, cut
from edgeopt.lower.storage import Storage
from edgeopt.ops.contracts import require_fit
from edgeopt.target import Target

WORD = 8  # bytes of a count, at most


def lower_streamed(
    graph: Graph, target: Target, name: str, table: Sequence[Kernel], select: Selection, interface: Interface
) -> Program:
    """The Program of ``graph`` that takes rows of its input, of all there are the one with the least RAM.

    Raises EdgeoptError as ``lower`` and ``front`` do, and for a target whose maps lie in blocks of channels.
    """
    if not target.channels_last:
        raise EdgeoptError(f"rows are streamed on microcontrollers; maps of '{target.name}' lie in blocks of channels")
    require_fit(graph.nodes)
    graph = clone(graph)
    codes = code_ports(graph, outputs=interface.codes)
    found = front(graph)
    tried = (
        _Streamed(cut(graph, found, count + 1), target, table, select, interface.arena) for count in range(len(found.pieces))
    )
    program = min((lowering.streamed(name) for lowering in tried), key=lambda p: p.arena_bytes + p.scratch_bytes)
    program.inputs = [Binding(value.name, value.type, Place("input", 0)) for value in graph.inputs]
    describe_ports(program, graph, codes)
    program.notes += [_note(program), *(left_in_float(graph) if interface.codes else [])]
    return program


def _note(program: Program) -> str:
    stream = program.stream
    assert stream is not None
    first = stream.bands[0]
    about = f"{first.height} rows of '{program.inputs[0].name}', {first.row_bytes:,} B each, are streamed"
    return f"{about} through {stream.steps} steps up to '{stream.goal}'"


class _Streamed(Lowering):
    """Lowers the pieces of a front, then the rest. Bands and what is counted live as long as the former."""

    def __init__(self, rows: Rows, target: Target, table: Sequence[Kernel], select: Selection, in_arena: bool) -> None:
        super().__init__(rows.graph, target, table, select, in_arena)
        self.rows = rows
        self.bands = [self._map(piece.band) for piece in rows.pieces]
        self.result = self._map(rows.result)
        self.state = _words(2 * len(rows.pieces) + 1)

    def streamed(self, name: str) -> Program:
        """The program, with its stream."""
        for storage in (*self.bands, self.result, self.state):
            self.emission.keep(storage)
        ends = [self._lower_piece(index, piece) for index, piece in enumerate(self.rows.pieces)]
        for storage in (*self.bands, self.state):
            self.emission.keep_for_last(storage)
        for node in self.rows.rest:
            self.lower_node(node)
        for index, value in enumerate(self.graph.outputs):
            finish_output(self, index, value)
        program = self.emission.finish(name, self.store)
        program.notes.extend(self.notes)
        if program.fallbacks:
            raise EdgeoptError(program.missing(self.target.name))
        return replace(program, stream=self._stream(ends))

    def _map(self, value: Value) -> Storage:
        """Storage of a map in the arena, with its channels last."""
        storage = self.store.new(value, _last(value))
        self.store.put(value, storage)
        return storage

    def _lower_piece(self, index: int, piece: RowPiece) -> int:
        """Lower the nodes of a piece, whose result is the newest row of the next band; the number of steps after it."""
        made = self._newest(index, piece.row)
        self.store.reserve(piece.row, made)
        for node in piece.nodes:
            self.lower_node(node)
        if not made.holds(self.store.get(piece.row, plain=False)):
            self._bring(piece.nodes[-1], piece.row, made)
        return self.emission.count

    def _newest(self, index: int, row: Value) -> Storage:
        """Where the result of a piece goes: behind the other rows of the next band, or to an output beyond all others."""
        if index + 1 < len(self.bands):
            band = self.bands[index + 1]
            return band.part(row, band.tensor.elements - Tensor(_type(row), _last(row)).elements).laid(_last(row))
        return Storage(row, Tensor(_type(row), _last(row)), Place("output", len(self.graph.outputs)))

    def _stream(self, ends: Sequence[int]) -> Stream:
        pieces = zip(self.rows.pieces, self.bands, [0, *ends], ends, strict=False)
        result = self.rows.result
        bands = tuple(_band(piece, storage, first, last) for piece, storage, first, last in pieces)
        state, goal = _offset(self.state), self.rows.pieces[-1].nodes[-1].name
        return Stream(bands, _offset(self.result), _row_bytes(_type(result)), state, goal)


def _band(piece: RowPiece, storage: Storage, first: int, last: int) -> Band:
    window, size = piece.window, _row_bytes(_type(piece.band))
    counts = window.rows, window.stride, window.above, window.fill, piece.height, piece.results
    return Band(*counts, size, _offset(storage), first, last)


def _words(count: int) -> Storage:
    """Storage for numbers that the driver counts."""
    type_ = TensorType("int64", (count,))
    return Storage(Value("counts", type_), Tensor(type_), None, Buffer(count * WORD, -1, -1))


def _offset(storage: Storage) -> int:
    place = storage.located()
    assert place is not None
    return place.offset


def _last(value: Value) -> Layout:
    return Layout(_type(value).dims[1])


def _row_bytes(type_: TensorType) -> int:
    return type_.dims[1] * type_.dims[3] * int(numpy_dtype(type_.dtype).itemsize)


def _type(value: Value) -> TensorType:
    assert value.type is not None
    return value.type
