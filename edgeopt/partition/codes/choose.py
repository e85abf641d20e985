"""The code of a tensor: the fewest bytes whose loss, by what the network decides on held-out samples, is within a budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.ir import Array
from edgeopt.partition.codes.code import BoundaryCode, Transform
from edgeopt.partition.codes.fit import BITS, fit, grid_step, spread
from edgeopt.partition.codes.judge import Loss
from edgeopt.partition.codes.layout import Layout, layouts
from edgeopt.partition.codes.message import OVERHEAD
from edgeopt.partition.codes.picture import Jpeg, Raw, grid_of, jpeg_possible, picture_layout
from edgeopt.partition.codes.transforms import as_it_is, discriminant, rotation

COARSE = (
    0.06,
    0.12,
    0.18,
    0.25,
    0.35,
    0.5,
    0.75,
    1.0,
    1.25,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
)  # steps, in root mean squares of the components
QUALITIES = (95, 90, 85, 75, 60, 45, 30)
SIZED = 64  # samples whose bytes are counted
FITTED = 8 << 20  # elements of the samples that a code is fitted on
LARGEST = 1e30  # of a number that is coded

Measure = Callable[[Array], Loss]
Made = Callable[[], BoundaryCode | None]


@dataclass(frozen=True)
class Chosen:
    """``bytes`` of a message on average; ``loss`` is that of the samples that chose."""

    code: BoundaryCode
    bytes: float
    loss: Loss


def shortest(found: Sequence[Chosen]) -> Chosen | None:
    """The code with the fewest bytes; None where there is none."""
    return min(found, key=lambda c: c.bytes, default=None)


def tried(calibration: Array, classes: Array, held_out: Array, measure: Measure, budget: float) -> list[Chosen]:
    """The coarsest code of each transform whose careful loss is at most ``budget`` points, where not even the finest fails.

    Codes are fitted on ``calibration`` [samples, ...], whose ``classes`` [samples] are labels or decisions. ``measure`` gives the
    loss when the network gets an array in place of ``held_out``. There are none for a tensor with numbers that a transform
    makes infinite, such as a mask.
    """
    if not codable(calibration):
        return []
    enough = max(SIZED, FITTED // calibration[0].size)
    ladders = _ladders(calibration[:enough], classes[:enough])
    found = [_coarsest(ladder, held_out, measure, budget) for ladder in ladders]
    return [code for code in found if code is not None]


def uploads(calibration: Array, held_out: Array, measure: Measure, budget: float) -> dict[str, Chosen]:
    """The codes of an input that others use: its bytes where it lies on a grid of 256 values, and JPEG where it is a picture.

    JPEG has the lowest quality within the ``budget``, or the best there is; it is left out where Pillow is missing.
    """
    found: dict[str, Chosen] = {}
    if not codable(calibration):
        return found
    shape = (1, *calibration.shape[1:])
    picture = picture_layout(shape)
    grid = grid_of(picture or Layout(shape, 1), calibration)
    if grid is not None:
        found["bytes"] = _measured(Raw(grid), held_out, measure)
    if grid is not None and picture is not None and jpeg_possible():
        ladder = [lambda q=q: Jpeg(grid, q) for q in QUALITIES]
        best = _coarsest(ladder, held_out, measure, budget)
        found["jpeg"] = best if best is not None else _measured(Jpeg(grid, QUALITIES[0]), held_out, measure)
    return found


def _coarsest(ladder: Sequence[Made], held_out: Array, measure: Measure, budget: float) -> Chosen | None:
    """The last of codes that get coarser which keeps the budget, by bisection."""
    best, low, high = None, 0, len(ladder)
    while low < high:
        middle = (low + high) // 2
        code = ladder[middle]()
        found = None if code is None else _measured(code, held_out, measure)
        if code is None or (found is not None and found.loss.careful <= budget):
            best, low = found or best, middle + 1
        else:
            high = middle
    return best


def _measured(code: BoundaryCode, held_out: Array, measure: Measure) -> Chosen:
    size = float(np.mean(code.sizes(held_out[:SIZED]))) + OVERHEAD
    return Chosen(code, size, measure(code.round_trip(held_out)))


def _ladders(calibration: Array, classes: Array) -> Iterator[Sequence[Made]]:
    """For each transform its steps, finer first; a code whose ranges have too many steps is too fine to exist."""
    for transform in _transforms(calibration, classes):
        components = transform.apply(calibration)
        unit = spread(components)
        steps = [(f"{m:g}", m * unit) for m in COARSE]
        if transform.forward is None:
            steps += [(name, grid_step(components, bits)) for name, bits in BITS.items()]
        yield [_maker(transform, name, components, step) for name, step in sorted(steps, key=lambda s: s[1])]


def _maker(transform: Transform, name: str, components: Array, step: float) -> Made:
    return lambda: fit(transform, name, components, step)


def _transforms(calibration: Array, classes: Array) -> Iterator[Transform]:
    shape = (1, *calibration.shape[1:])
    possible = layouts(shape)
    with_maps = [layout for layout in possible if layout.axis is not None]
    best = min(with_maps, key=lambda layout: rough_bytes(layout, calibration))
    made = [as_it_is(best), rotation(best, calibration), discriminant(best, calibration, classes)]
    for layout in possible:
        if layout.axis is None:
            made += [rotation(layout, calibration), discriminant(layout, calibration, classes)]
    yield from (transform for transform in made if transform is not None)


def rough_bytes(layout: Layout, calibration: Array, multiple: float = 1.0) -> float:
    """The bytes of a message in that layout at one coarse step, on a few samples."""
    few = calibration[:SIZED]
    transform = as_it_is(layout)
    components = transform.apply(few)
    code = fit(transform, "", components, multiple * spread(components))
    return float("inf") if code is None else float(np.mean(code.sizes(few))) + OVERHEAD


def codable(values: Array) -> bool:
    """Whether all numbers are finite, and their sums in float32 are, too."""
    return bool(np.abs(values).max(initial=0.0) < LARGEST)


def estimated(calibration: Array) -> float:
    """Fewer bytes than ``tried`` is likely to find, without asking the network; infinite where it finds none."""
    if not codable(calibration):
        return float("inf")
    shape = (1, *calibration.shape[1:])
    return min(rough_bytes(layout, calibration, COARSE[-3]) for layout in layouts(shape))
