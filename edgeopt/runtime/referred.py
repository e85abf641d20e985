"""Where a tensor of the ONNX model is among the weights: found when the file is written, and read back from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeopt.coding.block import kept
from edgeopt.coding.container import content
from edgeopt.coding.placement import Placement, placement, places
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array, Value
from edgeopt.lower.program import Chunk, WeightBlock

LEAST = 1024  # bytes from which a tensor of the ONNX model is referred to and not repeated
_SHARE = 4  # of a tensor, that its placement may take at most


@dataclass(frozen=True, eq=False)
class Place:
    """The tensor ``value`` in a ``chunk`` of the weights, as it is or by its ``placement``; None: it is stored ``apart``."""

    value: Value
    chunk: Chunk | None
    shape: tuple[int, ...]
    placement: Placement | None = None

    @property
    def apart(self) -> bool:
        """True for a tensor that is nowhere among the weights."""
        return self.chunk is None


def located(block: WeightBlock, constants: Iterable[Value]) -> list[Place]:
    """Where each of the ``constants`` is: every place that is found gives back the same bytes."""
    placements = _Placements()
    wanted = {_key(value.array): value for value in constants}
    found: dict[Value, Place] = {}
    for chunk in block.chunks:
        base, back = _base(chunk.origin.source) if chunk.origin is not None else (None, ())
        value = wanted.get(_key(base)) if base is not None else None
        if value is not None and value not in found and base is not None:
            place = _placed(value, chunk, base, back, block, placements)
            if place is not None:
                found[value] = place
    loose = [chunk for chunk in block.chunks if chunk.origin is None]
    return [
        found.get(v) or _twin(v, found.values()) or _leading(v, loose, block) or Place(v, None, v.array.shape)
        for v in wanted.values()
    ]


def _leading(value: Value, chunks: Iterable[Chunk], block: WeightBlock) -> Place | None:
    """The place of a vector that some chunk begins with, as biases are that kernels fill up with zeros."""
    array = value.array
    for chunk in chunks if array.ndim == 1 else ():
        if chunk.width == array.itemsize and chunk.size >= array.nbytes:
            bytes_there = block.span([chunk])[: array.nbytes]
            if np.array_equal(bytes_there, content(array)):
                return Place(value, chunk, array.shape, placement(array.shape, lambda labels: labels))
    return None


def _twin(value: Value, found: Iterable[Place]) -> Place | None:
    """The place of another tensor of the same bytes."""
    array = value.array
    for place in found:
        other = place.value.array
        alike = (other.nbytes, other.shape, other.dtype) == (array.nbytes, array.shape, array.dtype)
        if alike and np.array_equal(content(other), content(array)):
            return replace(place, value=value)
    return None


def _key(array: Array) -> tuple[int, int]:
    return array.ctypes.data, array.nbytes


def _base(source: Array) -> tuple[Array | None, tuple[int, ...]]:
    """The array in row-major order whose axes ``source`` shows in another order, and that order; None for other views."""
    order = tuple(int(axis) for axis in np.argsort([-stride for stride in source.strides], kind="stable"))
    base = source.transpose(order)
    return (base if base.flags.c_contiguous else None), tuple(int(axis) for axis in np.argsort(order))


class _Placements:
    """Placements by shapes and packings, many of which are those of an earlier layer."""

    def __init__(self) -> None:
        self._known: dict[object, Placement | None] = {}

    def __call__(self, shape: tuple[int, ...], back: tuple[int, ...], pack: Callable[[Array], Array]) -> Placement | None:
        """Where ``pack`` puts the elements of a tensor of ``shape`` whose axes it is given in the order ``back``."""
        key = shape, back, pack
        if key not in self._known:
            self._known[key] = placement(shape, lambda labels: pack(labels.transpose(back)))
        return self._known[key]


def _placed(
    value: Value, chunk: Chunk, base: Array, back: tuple[int, ...], block: WeightBlock, placements: _Placements
) -> Place | None:
    assert chunk.origin is not None
    pack, made = chunk.origin.pack, Place(value, chunk, base.shape)
    if chunk.origin.transform is not None or (pack is None and chunk.size == base.nbytes):
        return made
    if pack is None or chunk.width != base.itemsize:
        return None
    found = placements(base.shape, back, pack)
    if found is None or len(json.dumps(found)) * _SHARE > base.nbytes:
        return None
    same = np.array_equal(_taken(block.span([chunk]), found, base.shape, chunk.width), content(base))
    return replace(made, placement=found) if same else None


def _taken(block: Array, found: Placement, shape: tuple[int, ...], width: int) -> Array:
    """The bytes of a tensor of elements of ``width`` bytes that lie in ``block`` (uint8) by their placement."""
    words = block.view(f"u{width}" if width in (1, 2, 4, 8) else f"V{width}")  # numpy takes numbers several times as fast
    taken: Array = words[places(found, shape, len(words)).reshape(-1)].view(np.uint8)
    return taken


def tensor_bytes(about: dict[str, Any], file: bytes | memoryview, weights: memoryview) -> bytes:
    """The bytes of the tensor of the ONNX model that a record of the manifest tells of. Raises EdgeoptError for nonsense."""
    if about["entry"] is not None:
        return kept(file, about["entry"], about["bytes"]).tobytes()
    offset, size = about["block"]
    block, elements = np.frombuffer(weights, np.uint8)[offset : offset + size], int(np.prod(about["shape"], dtype=np.int64))
    if about["placement"] is None:
        return block.tobytes()
    width = about["bytes"] // max(1, elements)
    if width * elements != about["bytes"] or width == 0 or len(block) % width:
        raise EdgeoptError(f"'{about['name']}' of the manifest has another size than its elements; compile the model again")
    return _taken(block, about["placement"], tuple(about["shape"]), width).tobytes()
