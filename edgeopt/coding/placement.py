"""Where the elements of a tensor lie in a block that kernels read, in few numbers: found once, and applied to read it back.

A kernel packs weights by splitting axes into tiles, moving these and filling up with zeros. The place of element (i, j, ...) is
then a sum of a number for i, one for j, ...; where the last tiles are cut, ranges of an axis have sums of their own. So a
placement is, for the axes from the first to the last or (``backwards``) from the last to the first, a list of ranges: the
numbers of the range, and the placement of the axes that follow. Numbers are nested arithmetic sequences
``[start, [step, count], ...]``, the outermost first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgeopt.coding.frequencies import Array
from edgeopt.errors import EdgeoptError

Placement = list[Any]  # backwards (0 or 1), ranges
MOST_RANGES = 64  # of all axes together


def placement(shape: tuple[int, ...], pack: Callable[[Array], Array]) -> Placement | None:
    """Where ``pack`` puts the elements of a tensor of ``shape``; None when it does more than move them, or too unevenly.

    ``pack`` is applied to the numbers of the elements, from 1 on, in int32 or int64.
    """
    count = math.prod(shape)
    labels = np.arange(1, count + 1, dtype=np.int32 if count < 1 << 31 else np.int64).reshape(shape)
    packed = np.asarray(pack(labels)).reshape(-1)
    filled = np.flatnonzero(packed)
    if len(filled) < count or packed.dtype != labels.dtype or packed.max(initial=0) > count or packed.min(initial=0) < 0:
        return None
    places = np.full(count, -1, labels.dtype)
    places[packed[filled] - 1] = filled
    if places.min(initial=0) < 0:
        return None
    best, fewest = None, MOST_RANGES + 1
    for backwards, turned in enumerate((places.reshape(shape), places.reshape(shape).T)):
        used = [0]
        found = _described(turned, used) if fewest > len(shape) else None
        if found is not None and used[0] < fewest:
            best, fewest = [backwards, found], used[0]
    return best


def _described(places: Array, used: list[int]) -> list[Any] | None:
    if not places.ndim:
        return []
    rows = places.reshape(len(places), -1)
    first = rows[:, 0]
    inner = rows - first[:, None]
    cuts = [0, *(np.flatnonzero((inner[1:] != inner[:-1]).any(axis=1)) + 1).tolist(), len(rows)]
    used[0] += len(cuts) - 1
    if used[0] > MOST_RANGES:
        return None
    made = []
    for begin, end in itertools.pairwise(cuts):
        behind = _described(inner[begin].reshape(places.shape[1:]), used)
        if behind is None:
            return None
        made.append([_sequences(first[begin:end].tolist()), behind])
    return made


def _sequences(numbers: list[int]) -> list[Any]:
    """The numbers as nested arithmetic sequences."""
    found: list[tuple[int, tuple[tuple[int, int], ...]]] = [(n, ()) for n in numbers]
    while (shorter := _joined(found)) != found:
        found = shorter
    return [[start, *([step, count] for step, count in steps)] for start, steps in found]


def _joined(items: list[tuple[int, tuple[tuple[int, int], ...]]]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Neighbours of the same form at equal distances become one; single ones stay."""
    made, at = [], 0
    while at < len(items):
        start, form = items[at]
        end, step = at + 1, 0
        if end < len(items) and items[end][1] == form:
            step = items[end][0] - start
            while end < len(items) and items[end] == (start + step * (end - at), form):
                end += 1
        made.append((start, ((step, end - at), *form)) if end - at > 1 else items[at])
        at = end
    return made


def places(found: Placement, shape: tuple[int, ...], limit: int) -> Array:
    """The place of every element, int64 of ``shape``. Raises EdgeoptError for one of another shape or beyond ``limit``."""
    backwards, ranges = found
    made = _places(ranges, shape[::-1]).T if backwards else _places(ranges, shape)
    if made.size and not 0 <= made.min() <= made.max() < limit:
        raise EdgeoptError("a tensor of the model lies beyond the weights; compile the model again")
    return made


def _places(found: list[Any], shape: tuple[int, ...]) -> Array:
    if not shape:
        return np.zeros((), np.int64)
    ranges = [(_numbers(sequences, shape[0]), behind) for sequences, behind in found]
    if sum(len(numbers) for numbers, _ in ranges) != shape[0]:
        raise EdgeoptError("a tensor of the model has another shape than its place in the weights; compile the model again")
    rows = [numbers.reshape(-1, *[1] * (len(shape) - 1)) + _places(behind, shape[1:])[None] for numbers, behind in ranges]
    made: Array = np.concatenate(rows) if rows else np.zeros(shape, np.int64)
    return made


def _numbers(sequences: list[Any], most: int) -> Array:
    parts = []
    for start, *steps in sequences:
        if math.prod(count for _, count in steps) > most:
            raise EdgeoptError("a tensor of the model has another shape than its place in the weights; compile the model again")
        part = np.array([start], np.int64)
        for step, count in reversed(steps):
            part = (np.arange(count)[:, None] * step + part).reshape(-1)
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
