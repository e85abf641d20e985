"""What one layer becomes: rows brought to one size, codebooks and codes for each group, integer codebooks, and the bias."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeopt.evaluate.rounding import damped
from edgeopt.forms.moments import Moments, cut, grouped
from edgeopt.forms.product_quantize.descent import Fit, assign_plainly, assign_with_feedback, descend
from edgeopt.forms.product_quantize.rates import Rate
from edgeopt.forms.product_quantize.spaces import Spaces
from edgeopt.forms.product_quantize.start import start
from edgeopt.forms.product_quantize.tables import Unit, unit_of
from edgeopt.ir import Array, Node
from edgeopt.ops.codebooks import LookupWeight

SWEEPS, LAST = 4, 1  # with codebooks that move, and with the integers that they become
SMALLEST = 1e-3  # row beside the largest that is brought to one size; a bias has to fit 32 bits in units of its row
DAMPING, SCARCE = 1e-3, 0.3  # of the mean square of an input; the latter times the inputs there are for each row that was seen


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the inputs of a layer: their ``moments``, some of them as ``rows`` [groups, rows, K], and the ``scale``

    of their grid. Where the layer is cut into ``parts``, neighbouring channels each, these stand in the place of groups.
    """

    moments: Moments | None
    rows: Array | None
    scale: float
    parts: int = 1


def solve(node: Node, rate: Rate, seen: Seen, seed: int = 0, correct: bool = True) -> LookupWeight:
    """The layer in codewords; without moments, or unless asked to ``correct`` errors, by k-means of the weight alone."""
    weight = node.constant(1)
    assert weight is not None
    rows, dense = cut(grouped(node, weight), seen.parts), node.op == "FusedGemm"
    taps = () if dense else weight.shape[2:]
    spaces = Spaces(rows.shape[2] // int(np.prod(taps, dtype=int)), int(np.prod(taps, dtype=int)), rate.size)
    known = seen if correct else replace(seen, moments=None)
    fits = _fits(node, rows, spaces, rate, known, seed)
    unit = unit_of([f.books for f in fits], _inputs(seen, spaces), seen.scale, seed)
    for fit in fits:
        _round(fit, unit, correct and seen.moments is not None)
    made = _weight(_joined(fits) if seen.parts > 1 else fits, unit, taps, spaces.channels * seen.parts, dense)
    return replace(made, bias=_bias(node, rows, cut(grouped(node, made.array), seen.parts), known))


def _fits(node: Node, rows: Array, spaces: Spaces, rate: Rate, seen: Seen, seed: int) -> list[Fit]:
    """Codebooks and codes of each group or part; all parts bring a row to the same size, for an output has one scale."""
    targets = [_target(node, rows[g], seen.moments, g) for g in range(len(rows))]
    sizes = [np.sqrt(np.square(target).mean(axis=1)) for target in targets]
    if seen.parts > 1:
        sizes = [np.sqrt(np.square(sizes).mean(axis=0))] * len(sizes)
    sizes = [np.maximum(size, SMALLEST * size.max(initial=0.0) or 1.0) for size in sizes]
    every = enumerate(zip(targets, sizes, strict=True))
    return [_fit(target, size, _moments(node, seen.moments, g), spaces, rate, seed + g) for g, (target, size) in every]


def _fit(target: Array, size: Array, moments: Array | None, spaces: Spaces, rate: Rate, seed: int) -> Fit:
    ordered = spaces.rows(target / size[:, None]).astype(np.float32)
    metric = None if moments is None else spaces.moments(moments).astype(np.float32)
    books = start(ordered, metric, size**2, spaces, rate, seed)
    codes = np.zeros((len(ordered), spaces.count, spaces.taps), np.int64)
    fit = Fit(ordered, np.zeros((0, 0), np.float32) if metric is None else metric, size**2, spaces, rate, books, codes)
    if metric is None:
        assign_plainly(fit)
    else:
        assign_with_feedback(fit)
        descend(fit, SWEEPS)
    return fit


def _joined(fits: list[Fit]) -> list[Fit]:
    """The parts of a layer side by side: codebooks and codes of all of them for each output."""
    first = fits[0]
    books, codes = np.concatenate([f.books for f in fits]), np.concatenate([f.codes for f in fits], axis=1)
    spaces = replace(first.spaces, channels=first.spaces.channels * len(fits))
    return [replace(first, spaces=spaces, books=books, codes=codes)]


def _moments(node: Node, moments: Moments | None, group: int) -> Array | None:
    """Those of a group, damped, for few rows say little of many inputs; about the mean where a bias makes up for the mean."""
    if moments is None:
        return None
    own, mean = moments.own[group], moments.mean[group]
    about = own - np.outer(mean, mean) if node.constant(2) is not None else own
    return np.asarray(damped(about[None], DAMPING + (SCARCE * len(own) / moments.rows if moments.rows else 0.0))[0])


def _target(node: Node, rows: Array, seen: Moments | None, group: int) -> Array:
    """The weight whose response to the rounded inputs comes nearest to that of ``rows`` to the exact ones."""
    moments = _moments(node, seen, group)
    if seen is None or seen.cross is None or moments is None:
        return rows
    cross, own = seen.cross[group], seen.own[group]
    if node.constant(2) is not None:
        cross = cross - np.outer(seen.reference_mean[group], seen.mean[group])
        own = own - np.outer(seen.mean[group], seen.mean[group])
    return np.linalg.solve(moments.T, (rows @ (cross + (moments - own))).T).T


def _inputs(seen: Seen, spaces: Spaces) -> list[Array]:
    """Inputs of each group in the order of sub-spaces; noise where none are known."""
    if seen.rows is None:
        noise = np.random.default_rng(0).uniform(0, 255 * seen.scale, (64, spaces.count * spaces.width))
        return [noise]
    return [spaces.rows(rows) for rows in seen.rows]


def _round(fit: Fit, unit: Unit, refine: bool) -> None:
    """Codebooks become integers in units of their step, and codes follow."""
    fit.books[:] = np.clip(np.rint(fit.books / unit.step), -127, 127) * unit.step
    if refine:
        descend(fit, LAST, codebooks=False)
    else:
        assign_plainly(fit)


def _weight(fits: list[Fit], unit: Unit, taps: tuple[int, ...], channels: int, dense: bool) -> LookupWeight:
    rate, count, power = fits[0].rate, fits[0].spaces.count, np.concatenate([f.power for f in fits]) ** 0.5
    joint = np.concatenate([f.codes for f in fits]).reshape(len(power), count, *taps)
    codes = np.stack([joint // rate.words ** (rate.books - 1 - a) % rate.words for a in range(rate.books)])
    books = np.concatenate([np.rint(f.books / unit.step) for f in fits]).swapaxes(0, 1).astype(np.int8)
    scale = (power * unit.step).astype(np.float32)
    return LookupWeight(codes.astype(np.uint8), books, scale, channels, unit.shift, dense=dense)


def _bias(node: Node, rows: Array, made: Array, seen: Seen) -> Array | None:
    """The bias plus the mean of what the layer lost; a node without a bias keeps none."""
    bias, moments = node.constant(2), seen.moments
    if bias is None or moments is None:
        return bias
    lost = np.einsum("grk,gk->gr", rows, moments.reference_mean) - np.einsum("grk,gk->gr", made, moments.mean)
    return np.asarray(bias + (lost.sum(axis=0) if seen.parts > 1 else lost.reshape(-1)), np.float32)
