"""What a compiled model takes of a microcontroller's memory, and whether that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from edgeopt.codegen.elf import Elf, archived
from edgeopt.codegen.linked import libraries
from edgeopt.codegen.stack import stack_bytes
from edgeopt.errors import EdgeoptError
from edgeopt.ir import numpy_dtype
from edgeopt.lower.program import Program, Step
from edgeopt.runtime.reading import WEIGHTS, Files
from edgeopt.target import Target


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes: flash is code, the functions of the compiler's ``libraries`` that it calls (None where there is no linker to tell),

    and the file of weights; RAM is arena, scratch memory, decoded weights, inputs (of a streamed one a row), outputs, stack.
    """

    code: int
    libraries: int | None
    weights: int
    arena: int
    scratch: int
    decoded: int
    ports: int
    stack: int

    @property
    def flash(self) -> int:
        """Bytes of flash."""
        return self.code + (self.libraries or 0) + self.weights

    @property
    def ram(self) -> int:
        """Bytes of RAM."""
        return self.arena + self.scratch + self.decoded + self.ports + self.stack

    def fits(self, target: Target) -> bool:
        """Whether a target has as much; where it does not say what it has, everything fits."""
        return not (target.ram and self.ram > target.ram) and not (target.flash and self.flash > target.flash)

    def __str__(self) -> str:
        parts = (("arena", self.arena), ("scratch", self.scratch), ("decoded weights", self.decoded))
        more = "".join(f"{name} {count:,} + " for name, count in parts if count)
        called = f"libraries {self.libraries:,} + " if self.libraries else ""
        flash = f"flash {self.flash:,} B = code {self.code:,} + {called}weights {self.weights:,}"
        return f"{flash}; RAM {self.ram:,} B = {more}inputs and outputs {self.ports:,} + stack {self.stack:,}"


class TooLarge(EdgeoptError):
    """A model that takes more than its target has: what was ``found``, and the ``record`` of the search that chose it, if any."""

    def __init__(self, message: str, found: MemoryBudget) -> None:
        super().__init__(message)
        self.found = found
        self.record: Mapping[str, Any] | None = None


def budget(program: Program, files: Files, target: Target) -> MemoryBudget:
    """The memory that the C library in ``files`` takes."""
    elf = Elf(archived(files["libmodel.a"]))
    inputs, row = (program.inputs, 0) if program.stream is None else ([], program.stream.bands[0].row_bytes)
    callers = [b.type for b in (*inputs, *program.outputs) if b.type is not None and b.offset is None]
    ports = row + sum(prod(type_.dims) * numpy_dtype(type_.dtype).itemsize for type_ in callers)
    decoded = 0 if program.file is None else program.weights_bytes
    called = libraries(files["libmodel.a"], program.name, target)
    stack = stack_bytes(elf, target) + (called.stack if called is not None else 0)
    code, size, weights = elf.loaded_bytes, None if called is None else called.size, len(files[WEIGHTS])
    return MemoryBudget(code, size, weights, program.arena_bytes, program.scratch_bytes, decoded, ports, stack)


def require_memory(found: MemoryBudget, program: Program, target: Target) -> None:
    """Raise TooLarge for a model that takes more than the target has, with what takes most of it, and what would do."""
    if target.ram and found.ram > target.ram:
        node, size = largest_step(program)
        at = f"'{node}', whose operands lie in {size:,} B of it, sets it" if node else "its inputs and outputs set it"
        allowed = f"the model needs {found.ram:,} B of RAM, {target.ram:,} are allowed"
        raise TooLarge(f"{allowed}: {at}; {found}{_ways(found, program)}", found)
    if not found.fits(target):
        sizes = weights_by_node(program)
        most = max(sizes, key=lambda node: sizes[node], default="")
        at = f"the weights of '{most}' take most, {sizes[most]:,} B; " if most else ""
        allowed = f"the model needs {found.flash:,} B of flash, {target.flash:,} are allowed"
        raise TooLarge(f"{allowed}: {at}{found} ({_smaller(found, program)})", found)


def _smaller(found: MemoryBudget, program: Program) -> str:
    """Options that take less flash."""
    floats = any(chunk.width == 4 and chunk.size > found.weights // 8 for chunk in program.chunks)
    ways = ["-O3 --objective size and --data make integers of weights"] if floats else ["--quantize w4a8 halves integers"]
    ways += [] if found.decoded else ["--weights coded stores them coded, and decodes into RAM"]
    return "; ".join(ways)


def _ways(found: MemoryBudget, program: Program) -> str:
    """Options that may take less RAM."""
    ways = ["--interface codes,arena has inputs and outputs in the arena"] if found.ports else []
    pictures = program.stream is None and any(port.lines for port in program.inputs)
    ways += ["--stream-input takes the picture by rows"] if pictures else []
    return f" ({'; '.join(ways)})" if ways else ""


def weights_by_node(program: Program) -> dict[str, int]:
    """Bytes of weights in memory, by the nodes they were first made for."""
    sizes: dict[str, int] = {}
    for chunk in program.chunks:
        sizes[chunk.node] = sizes.get(chunk.node, 0) + chunk.size
    return sizes


def largest_step(program: Program) -> tuple[str, int]:
    """The node of the step whose operands in RAM take most, and how much that is; what they share counts once."""
    size, node = max(((_covered(s, "arena") + _covered(s, "scratch"), s.node) for s in program.native), default=(0, ""))
    return node, size


def _covered(step: Step, kind: str) -> int:
    """The bytes in which the operands of one kind of memory lie: a result may overlap what it is made of."""
    spans = sorted((p.offset, p.offset + size) for p, size in zip(step.places, step.sizes, strict=True) if p.kind == kind)
    total = end = 0
    for first, last in spans:
        total += max(0, last - max(first, end))
        end = max(end, last)
    return total
