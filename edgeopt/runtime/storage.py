"""What of a model's weights goes into a file: each tensor once, in the form that takes fewest bytes and is read back fastest.

The block that kernels read is stored in its own order, since to decode it in place is then all that a loader does. Weights that
a Winograd kernel transforms are stored as the model has them. The ONNX model in the artifact refers to both: its tensors are
taken out of the block by their placement; what cannot be is stored by itself, and not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from edgeopt.coding.block import Later, Part, Stored, write
from edgeopt.coding.container import content
from edgeopt.ir import Value
from edgeopt.lower.program import Chunk, Program, WeightBlock
from edgeopt.memory_limit import give_back
from edgeopt.runtime.referred import LEAST, Place, located

Record = dict[str, Any]
SMALL = 4096  # bytes of chunks that are coded together with their neighbours


@dataclass(frozen=True)
class Storage:
    """A ``file`` of weights; for the manifest its ``tensors``, and the ``constants`` of the graph that it holds."""

    file: memoryview
    tensors: list[Record]
    constants: list[Record]


def store(program: Program, constants: Iterable[Value] = ()) -> Storage:
    """The file for ``program``, and for those of the ``constants`` that are large, which it also holds."""
    groups = _groups(program.chunks)
    parts = [_part(program.block, group) for group in groups]
    places = located(program.block, [value for value in constants if value.array.nbytes >= LEAST])
    give_back(program.weights_bytes)  # what finding the places took
    apart = [place for place in places if place.apart]
    parts += [Part(content(place.value.array), place.value.array.dtype.itemsize, None) for place in apart]
    file, stored = write(parts)
    names = {id(place.chunk): _called(place.value) for place in places if place.chunk is not None}
    labels = [_label(group, names) for group in groups] + [_called(place.value) for place in apart]
    return Storage(
        file,
        [_tensor(*one) for one in zip(labels, parts, stored, strict=True)],
        [_constant(place, groups, apart, stored) for place in places],
    )


def _groups(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    """Chunks one by one; small ones of one width that follow each other together."""
    groups: list[list[Chunk]] = []
    for chunk in chunks:
        if groups and all(_small(c) and c.width == chunk.width for c in (groups[-1][-1], chunk)):
            groups[-1].append(chunk)
        else:
            groups.append([chunk])
    return groups


def _small(chunk: Chunk) -> bool:
    return chunk.size <= SMALL and (chunk.origin is None or chunk.origin.transform is None)


def _part(block: WeightBlock, group: list[Chunk]) -> Part:
    first, last = group[0], group[-1]
    if first.origin is not None and first.origin.transform is not None:
        return Part(content(first.origin.source), first.width, first.offset, first.size, first.origin.transform)
    size = last.offset + last.size - first.offset
    return Part(Later(partial(block.span, group), size), first.width, first.offset, size)


def _called(value: Value) -> str:
    """The name of a tensor; of one that a pass made, and that has but a number, what it is for."""
    if not re.fullmatch(r"c~\d+", value.name) or not value.users:
        return value.name
    return f"{'weights' if value.array.ndim > 1 else 'numbers'} of {value.users[0].name}"


def _label(group: list[Chunk], names: dict[int, str]) -> str:
    first = names.get(id(group[0])) or f"packed for {group[0].node}"
    return first if len(group) == 1 else f"{first} and {len(group) - 1} small ones"


def _tensor(label: str, part: Part, stored: Stored) -> Record:
    """A row of the table of bytes: elements, bytes before coding, in the file, and in memory after loading."""
    loaded = 0 if part.to is None else part.room
    coding = ", ".join(stored.codings)
    about = {"name": label, "elements": len(part.data) // part.width, "bytes": len(part.data)}
    return {**about, "stored": stored.bytes, "loaded": loaded, "coding": coding}


def _constant(place: Place, groups: list[list[Chunk]], apart: list[Place], stored: list[Stored]) -> Record:
    """Where a tensor of the ONNX model is: its bytes begin with an entry of the file, or lie in the block by their placement."""
    array, chunk = place.value.array, place.chunk
    about: Record = {"name": place.value.name, "bytes": array.nbytes, "shape": list(place.shape)}
    about |= {"entry": None, "block": None, "placement": None}
    if place.apart:
        return {**about, "entry": stored[len(groups) + apart.index(place)].entry}
    assert chunk is not None
    if chunk.origin is not None and chunk.origin.transform is not None:
        return {**about, "entry": stored[next(i for i, g in enumerate(groups) if g[0] is chunk)].entry}
    return {**about, "block": [chunk.offset, chunk.size], "placement": place.placement}
