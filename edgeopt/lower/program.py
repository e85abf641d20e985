"""Program: kernel calls over one arena, the result of lowering and the input of code generation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edgeopt.ir import Array, Node, TensorType
from edgeopt.kernels.call import KernelCall
from edgeopt.lower.memory import ALIGNMENT, aligned


@dataclass(frozen=True)
class Place:
    """Where an operand lies: ``offset`` bytes into arena, weights or per-thread scratch, or input or output number ``offset``."""

    kind: Literal["arena", "weights", "scratch", "input", "output"]
    offset: int


@dataclass(frozen=True)
class Step:
    """One kernel call with the places, element types and sizes in bytes of its operands, and the node it serves."""

    call: KernelCall
    places: tuple[Place, ...]
    dtypes: tuple[str, ...]
    node: str
    op: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Binding:
    """A named tensor at a place, as the runtime and the host operators see it."""

    name: str
    type: TensorType | None
    place: Place | None


@dataclass(frozen=True, eq=False)
class HostStep:
    """A node that has no kernel and runs on the host through ``ops.evaluate``. Values without a place travel in Python."""

    node: Node
    inputs: tuple[Binding | None, ...]
    outputs: tuple[Binding, ...]
    reason: str


@dataclass(eq=False)
class Program:
    """Steps in order; ``arena_bytes`` and ``scratch_bytes`` (per thread) of RAM; ``weights`` as one block of bytes."""

    name: str
    steps: list[Step | HostStep]
    inputs: list[Binding]
    outputs: list[Binding]
    arena_bytes: int
    scratch_bytes: int
    lower_bound: int
    weights: memoryview
    notes: list[str] = field(default_factory=list)

    @property
    def native(self) -> list[Step]:
        """The steps that are kernel calls."""
        return [step for step in self.steps if isinstance(step, Step)]

    @property
    def fallbacks(self) -> list[HostStep]:
        """The steps that run on the host through the reference implementation."""
        return [step for step in self.steps if isinstance(step, HostStep)]


class WeightBlock:
    """Collects constants into one aligned block; equal bytes are stored once."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self._size = 0

    def add(self, array: Array) -> Place:
        """The place of ``array`` in the block."""
        data = np.ascontiguousarray(array).tobytes()
        if data not in self._known:
            self._known[data] = self._size
            self._chunks.append(data)
            self._size += len(data) + -len(data) % ALIGNMENT
        return Place("weights", self._known[data])

    def block(self) -> memoryview:
        """Everything that was added, in memory aligned for the kernels."""
        made = aligned(self._size)
        end = 0
        for chunk in self._chunks:
            made[end : end + len(chunk)] = chunk
            end += len(chunk) + -len(chunk) % ALIGNMENT
        return made
