"""Program: kernel calls over one arena, the result of lowering and the input of code generation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np

from edgeopt.coding.container import content
from edgeopt.coding.winograd import put_transformed
from edgeopt.ir import Array, Node, TensorType
from edgeopt.kernels.call import KernelCall, Origin
from edgeopt.lower.memory import aligned, padded
from edgeopt.lower.plan import Buffer


@dataclass(frozen=True)
class Place:
    """Where an operand lies: ``offset`` bytes into arena, weights or per-thread scratch, or input or output number ``offset``."""

    kind: Literal["arena", "weights", "scratch", "input", "output"]
    offset: int


@dataclass(frozen=True)
class Jump:
    """Where execution goes on after a step: at native step ``to``; with ``unless``, only where the byte there is zero."""

    to: int
    unless: Place | None = None


@dataclass(frozen=True)
class Step:
    """One kernel call with the places, element types and sizes in bytes of its operands, the node it serves, and what follows.

    The next step follows, unless there is a ``jump``.
    """

    call: KernelCall
    places: tuple[Place, ...]
    dtypes: tuple[str, ...]
    node: str
    op: str
    sizes: tuple[int, ...] = ()
    jump: Jump | None = None


@dataclass(frozen=True)
class Codes:
    """What codes stand for: (code - ``zero``) * ``scale``."""

    scale: float
    zero: int


@dataclass(frozen=True)
class Binding:
    """A named tensor at a place, as the runtime and the host operators see it.

    An input or output may lie ``offset`` bytes into the arena, where a C library takes or leaves it, and hold ``codes``. A
    picture with its channels last has ``lines``: their number.
    """

    name: str
    type: TensorType | None
    place: Place | None
    offset: int | None = None
    codes: Codes | None = None
    lines: int | None = None


@dataclass(frozen=True, eq=False)
class HostStep:
    """A node that has no kernel and runs on the host through ``ops.evaluate``. Values without a place travel in Python."""

    node: Node
    inputs: tuple[Binding | None, ...]
    outputs: tuple[Binding, ...]
    reason: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Bytes of the weights from ``offset`` on, elements of ``width`` bytes, what they are made of, the node they serve."""

    offset: int
    size: int
    width: int
    origin: Origin | None
    node: str


@dataclass(frozen=True)
class Band:
    """Where the last ``rows`` rows of a map of ``height`` lie, ``row_bytes`` each, ``offset`` bytes into the arena.

    Every ``stride`` rows the native steps from ``first`` to before ``last`` make one of ``results`` rows of the next map of
    them. The map begins with ``above`` rows of the byte ``fill``, and ends with as many as are needed.
    """

    rows: int
    stride: int
    above: int
    fill: int
    height: int
    results: int
    row_bytes: int
    offset: int
    first: int
    last: int


@dataclass(frozen=True)
class Stream:
    """How rows of the input become a map: by ``bands``, the result of each of which is the newest row of the next.

    Rows of the last make up a map ``result`` bytes into the arena; the steps that make them write to one output more than there
    are. ``state`` is the offset of a word that counts the rows of the input, and of two for each band. ``goal`` names the map.
    """

    bands: tuple[Band, ...]
    result: int
    result_row: int
    state: int
    goal: str

    @property
    def steps(self) -> int:
        """The native steps that run row by row."""
        return self.bands[-1].last


@dataclass(eq=False)
class Program:
    """Steps in order; ``arena_bytes`` and ``scratch_bytes`` (per thread) of RAM; the ``block`` of weights, of whose

    ``chunks`` is known what they are made of, and which a C library decodes from ``file`` where there is one. ``buffers`` lie
    in the arena while they live. With a ``stream`` the first steps run row by row.
    """

    name: str
    steps: list[Step | HostStep]
    inputs: list[Binding]
    outputs: list[Binding]
    arena_bytes: int
    scratch_bytes: int
    lower_bound: int
    block: WeightBlock
    notes: list[str] = field(default_factory=list)
    file: bytes | memoryview | None = None
    buffers: Sequence[Buffer] = ()
    stream: Stream | None = None

    @cached_property
    def weights(self) -> memoryview:
        """The weights as one block of bytes, made at first need."""
        return self.block.block()

    @property
    def weights_bytes(self) -> int:
        """The size of the weights."""
        return self.block.size

    @property
    def chunks(self) -> list[Chunk]:
        """The pieces of the weights, in order."""
        return self.block.chunks

    @property
    def blocks(self) -> list[range]:
        """The native steps in runs that are entered at their first step only and left after their last."""
        native = self.native
        heads = {step.jump.to for step in native if step.jump is not None}
        heads |= {i + 1 for i, step in enumerate(native) if step.jump is not None}
        bounds = sorted({0, len(native)} | {h for h in heads if h < len(native)})
        return [range(a, b) for a, b in pairwise(bounds)]

    @property
    def native(self) -> list[Step]:
        """The steps that are kernel calls."""
        return [step for step in self.steps if isinstance(step, Step)]

    def missing(self, target: str) -> str:
        """What ``target`` has no kernel for, in words."""
        lines = [f"  {step.node!r}: {step.reason}" for step in self.fallbacks]
        return f"target '{target}' has no kernel for {len(lines)} node(s):\n" + "\n".join(lines)

    @property
    def fallbacks(self) -> list[HostStep]:
        """The steps that run on the host through the reference implementation."""
        return [step for step in self.steps if isinstance(step, HostStep)]


class WeightBlock:
    """Collects constants into one aligned block; equal bytes are stored once.

    What is made of constants of the graph is not held beside them: it is made again for whoever stores or runs it.
    """

    def __init__(self) -> None:
        self._contents: dict[int, bytes | None] = {}  # by the offset of a chunk
        self._known: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self.chunks: list[Chunk] = []
        self.size = 0

    def add(self, array: Array, origin: Origin | None = None, node: str = "") -> Place:
        """The place of ``array`` in the block."""
        loader = origin if origin is not None and origin.transform is not None else None
        data = content(array if loader is None else loader.source)
        key = hashlib.sha256(data.data).digest() + (b"" if loader is None else repr(loader.transform).encode())
        if key not in self._known:
            self._known[key] = self.size
            self._keys.append(key)
            made_again = origin is not None and origin.made_again
            self._contents[self.size] = None if made_again else data.tobytes()
            elements = array if origin is None or origin.pack is None else origin.source  # which a kernel may read as bytes
            self.chunks.append(Chunk(self.size, array.nbytes, elements.dtype.itemsize, origin, node))
            self.size += padded(array.nbytes)
        return Place("weights", self._known[key])

    def mark(self) -> int:
        """The number of chunks so far."""
        return len(self.chunks)

    def back_to(self, mark: int) -> None:
        """Forget the chunks since ``mark``."""
        while len(self.chunks) > mark:
            self.chunks.pop()
            self.size = self._known.pop(self._keys.pop())
            self._contents.pop(self.size, None)

    def span(self, chunks: Sequence[Chunk]) -> Array:
        """The bytes (uint8) from the first to the last of ``chunks``, neighbours in the block."""
        start, alone = chunks[0].offset, None
        if len(chunks) == 1 and chunks[0].size:
            alone = self._contents[start]
        if alone is not None:
            return np.frombuffer(alone, np.uint8)
        made = np.zeros(chunks[-1].offset + chunks[-1].size - start, np.uint8)
        for chunk in chunks:
            self._put(chunk, made, chunk.offset - start)
        return made

    def block(self) -> memoryview:
        """Everything that was added, in memory aligned for the kernels."""
        made = aligned(self.size)
        for chunk in self.chunks:
            self._put(chunk, np.frombuffer(made, np.uint8), chunk.offset)
        return made

    def _put(self, chunk: Chunk, room: Array, to: int) -> None:
        if not chunk.size:  # the next chunk has its offset, too
            return
        data = self._contents[chunk.offset]
        if data is not None:
            room[to : to + chunk.size] = np.frombuffer(data, np.uint8)
        elif chunk.origin is not None and (t := chunk.origin.transform) is not None:
            put_transformed(content(chunk.origin.source), room, to, chunk.size, t.m, t.outputs, t.inputs, t.width, t.depth)
        elif chunk.origin is not None and chunk.origin.pack is not None:
            room[to : to + chunk.size] = content(chunk.origin.pack(chunk.origin.source))
