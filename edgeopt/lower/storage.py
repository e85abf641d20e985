"""Where values lie: a plain and a blocked storage for each, made on demand."""

from __future__ import annotations

from dataclasses import dataclass

from edgeopt.errors import EdgeoptError
from edgeopt.ir import Graph, TensorType, Value, numpy_dtype
from edgeopt.kernels.call import PLAIN, Layout, Tensor
from edgeopt.lower.plan import Buffer
from edgeopt.lower.program import Place


@dataclass(eq=False)
class Storage:
    """A tensor in memory: at a fixed place, or ``delta`` bytes into an arena buffer whose offset the plan decides."""

    value: Value
    tensor: Tensor
    place: Place | None = None
    buffer: Buffer | None = None
    delta: int = 0

    @property
    def blocked(self) -> bool:
        """True for the channel-blocked layout."""
        return self.tensor.layout.block > 0

    def viewed(self, type_: TensorType) -> Storage:
        """The same memory under another type; the data of a constant takes its shape, which packed weights are made of."""
        array = self.tensor.array
        reshaped = None if array is None else array.reshape(type_.dims)
        return Storage(self.value, Tensor(type_, PLAIN, reshaped), self.place, self.buffer, self.delta)

    def laid(self, layout: Layout) -> Storage:
        """The same memory said to be in another layout."""
        return Storage(self.value, Tensor(self.tensor.type, layout), self.place, self.buffer, self.delta)

    def part(self, value: Value, skipped: int) -> Storage:
        """Where ``value`` lies in this storage, in the same layout, ``skipped`` elements after its beginning."""
        assert value.type is not None
        delta = self.delta + skipped * numpy_dtype(value.type.dtype).itemsize
        return Storage(value, Tensor(value.type, self.tensor.layout), self.place, self.buffer, delta)

    def holds(self, other: Storage | None) -> bool:
        """Whether ``other``, storage of the same value in the same layout, is this memory."""
        return other is not None and other.buffer is self.buffer and other.delta == self.delta

    def located(self) -> Place | None:
        """The final place; None before the plan or for constants, which the weight block places."""
        return Place("arena", self.buffer.offset + self.delta) if self.buffer is not None else self.place


class Store:
    """All storages of a graph. Graph inputs and outputs have fixed places, or with ``in_arena`` lie there, constants none until
    they are used.
    """

    def __init__(self, graph: Graph, in_arena: bool = False) -> None:
        self.graph, self.in_arena = graph, in_arena
        self._known: dict[tuple[Value, bool], Storage] = {}
        self._reserved: dict[Value, Storage] = {}
        self._outputs = {value: index for index, value in reversed(list(enumerate(graph.outputs)))}
        for index, value in enumerate(graph.inputs):
            if on_host_only(value.type):
                continue
            if value.type is None or not value.type.static:
                hint = f"bind it with --shape {value.name}=..."
                raise EdgeoptError(f"the shape of input '{value.name}' is {value.type}, which is not static; {hint}")
            place = self.new(value, PLAIN) if in_arena else self.at(value, Place("input", index))
            self.put(value, place)

    def get(self, value: Value, plain: bool) -> Storage | None:
        """The storage of ``value`` in one layout, or None."""
        if plain and value.is_constant and (value, True) not in self._known and value.type is not None:
            self.put(value, Storage(value, Tensor(value.type, PLAIN, value.array)))
        return self._known.get((value, plain))

    def exists(self, value: Value) -> bool:
        """True when the value lies in memory in some layout (False when it only exists in Python on the host)."""
        return self.get(value, True) is not None or self.get(value, False) is not None

    def has_blocked(self, value: Value) -> bool:
        """True when the value lies channel blocked."""
        return (value, False) in self._known

    def put(self, value: Value, storage: Storage) -> None:
        """Register a storage."""
        self._known[value, not storage.blocked] = storage

    def snapshot(self) -> dict[tuple[Value, bool], Storage]:
        """Everything that is registered now."""
        return dict(self._known)

    def restore(self, known: dict[tuple[Value, bool], Storage]) -> None:
        """Forget what was registered since the snapshot ``known``."""
        self._known = dict(known)

    def also(self, value: Value, storage: Storage | None) -> Storage | None:
        """Register ``storage``, where there is one, as another name of memory that holds ``value`` already."""
        if storage is not None:
            self.put(value, storage)
        return storage

    def forget_blocked(self, value: Value) -> None:
        """Drop the blocked storage of a value that was reserved and not filled."""
        del self._known[value, False]

    def sketch(self, value: Value, layout: Layout) -> Storage:
        """The storage of ``value`` in ``layout``; an existing one, or one that is not registered yet."""
        found = self.get(value, plain=not layout.block)
        if found is not None:
            return found
        assert value.type is not None
        return Storage(value, Tensor(value.type, layout))

    def reserve(self, value: Value, storage: Storage) -> None:
        """Have ``value``, once it is made, lie in ``storage``, where its maker writes that layout."""
        self._reserved[value] = storage

    def new(self, value: Value, layout: Layout) -> Storage:
        """Fresh storage for a value: what is reserved for it, its output's place when it is a plain graph output, else in the

        arena.
        """
        held = self._reserved.get(value)
        if held is not None and held.tensor.layout == layout:
            return held
        if not layout.block and not self.in_arena and self.graph.is_output(value) and self.get(value, True) is None:
            return self.at(value, Place("output", self._outputs[value]))
        type_ = value.type or TensorType("float32", (0,))
        tensor = Tensor(type_, layout)
        size = tensor.elements * max(1, numpy_dtype(type_.dtype).itemsize)
        return Storage(value, tensor, None, Buffer(size, -1, -1))

    def part(self, value: Value, whole: Value, layout: Layout, channel: int) -> Storage:
        """Storage of a value from ``channel`` on inside the concatenation ``whole``, which is made at the first request."""
        storage = self.get(whole, plain=False)
        if storage is None:
            storage = self.new(whole, layout)
            self.put(whole, storage)
        assert value.type is not None
        tensor = Tensor(value.type, layout)
        delta = storage.delta + channel * tensor.plane * numpy_dtype(value.type.dtype).itemsize
        return Storage(value, tensor, None, storage.buffer, delta)

    def at(self, value: Value, place: Place) -> Storage:
        """Plain storage at a fixed place."""
        assert value.type is not None
        return Storage(value, Tensor(value.type), place)


def on_host_only(type_: TensorType | None) -> bool:
    """True for sequences, optionals, strings and other types that only Python holds."""
    numeric = ("float32", "float64", "float16", "int", "uint", "bool")
    return type_ is not None and (type_.proto is not None or not type_.dtype.startswith(numeric))
