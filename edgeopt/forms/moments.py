"""Second moments of the inputs of a layer, which judge every change of its weight.

Neighbouring windows of a map are alike, so a few windows of every sample say more than all windows of a few samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.calibration import BROKEN
from edgeopt.evaluate.transposed import mirrored, spread
from edgeopt.evaluate.volumes import Volume, lifted, rows_in, volume_of
from edgeopt.ir import Array, Attribute, Node
from edgeopt.ir.match import shape_of

ROWS = 1 << 15
FEWEST_ROWS = 8  # for each of the K inputs of a layer
WORK = 1 << 34  # multiply-adds for one matrix of moments
ELEMENTS = 1 << 25  # of the rows of all groups: a depthwise layer has as many matrices as channels, each small and soon known
BLOCK = 4096  # rows whose products are summed in float32


@dataclass(frozen=True)
class Moments:
    """Over samples and positions, by group: ``own`` = E[x x^T], the means of x and y, and ``cross`` = E[y x^T] if asked for,

    where x are the rounded inputs of a layer and y those it has in float. [groups, K, K] and [groups, K], of ``rows`` rows.
    ``pull`` [groups, outputs, K] is W E[y x^T] for the weight W of the layer.
    """

    own: Array
    mean: Array
    reference_mean: Array
    cross: Array | None = None
    rows: int = 0
    pull: Array | None = None


Part = tuple[int, list[Array]]  # rows, and the sums over them
Response = tuple[Array, Array]  # the sum over rows y, and y itself or what the weight of the layer makes of it


class MomentSum:
    """Takes in rows x and y [groups, rows, K] block by block; ``cross`` asks for the product of both, too.

    With the ``weight`` [groups, outputs, K] of the layer only what that makes of this product is kept, which is less work.
    """

    def __init__(self, cross: bool, weight: Array | None = None) -> None:
        self._cross, self._weight = cross, None if weight is None else weight.astype(np.float32)
        self._waiting: list[tuple[Array, Array]] = []
        self._totals: list[Array] = []
        self._count = 0

    def add(self, x: Array, y: Array) -> None:
        """Take in rows of the rounded and the float network."""
        self._waiting.append((x, y))
        if sum(a.shape[1] for a, _ in self._waiting) >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        rounded, reference = zip(*self._waiting, strict=True)
        same = all(x is y for x, y in self._waiting)  # then both products are, to the last bit
        x = np.concatenate(rounded, axis=1)
        y = x if same else np.concatenate(reference, axis=1)
        self._waiting = []
        self.take(self.part(x, self.response(y)))

    @np.errstate(over="ignore", invalid="ignore")  # ``result`` sees to that
    def response(self, y: Array) -> Response:
        """What ``part`` needs of rows of the float network."""
        return _sum(y), y if self._weight is None else np.matmul(y, self._weight.transpose(0, 2, 1))

    @np.errstate(over="ignore", invalid="ignore")
    def part(self, x: Array, response: Response) -> Part:
        """The sums over some rows, which several threads may find at a time."""
        sums = [_products(x, x), _sum(x), response[0]]
        return x.shape[1], [*sums, _products(response[1], x)] if self._cross else sums

    def take(self, part: Part) -> None:
        """Take in such sums."""
        wide = [p.astype(np.float64) for p in part[1]]
        self._totals = [t + p for t, p in zip(self._totals, wide, strict=True)] if self._totals else wide
        self._count += part[0]

    def result(self) -> Moments:
        """The moments of everything taken in, at least one row. Raises EdgeoptError where they are not finite."""
        if self._waiting:
            self._flush()
        if not all(np.isfinite(total).all() for total in self._totals):
            raise EdgeoptError(BROKEN)
        own, mean, reference_mean, *last = (t / self._count for t in self._totals)
        cross, pull = (last[0] if last and asked else None for asked in (self._weight is None, self._weight is not None))
        return Moments(own, mean, reference_mean, cross, self._count, pull)


def _sum(rows: Array) -> Array:
    """The sum over rows of each group, as a product: numpy takes its time over sums of short rows."""
    return np.asarray(np.matmul(np.ones((1, rows.shape[1]), np.float32), rows)[:, 0])


def _products(a: Array, b: Array) -> Array:
    """a^T b for each group; BLAS computes half of it when both are the same."""
    return np.stack([np.dot(p.T, q) for p, q in zip(a, b, strict=True)])


def layer_moments(node: Node, rounded: Array, reference: Array) -> Moments:
    """The Moments of a layer whose first input is ``rounded``, and ``reference`` in float."""
    total, arrays = MomentSum(cross=True), [rounded] if rounded is reference else [rounded, reference]
    rows = sampled_rows(node, arrays, len(rounded), 0)
    total.add(rows[0], rows[-1])
    return total.result()


def sampled_rows(node: Node, arrays: Sequence[Array], samples: int, seed: int, share: int = 0) -> list[Array]:
    """Rows [groups, rows, K] of what the layer multiplies, at the same positions of each of ``arrays`` [n, ...].

    ``share`` rows are taken of each call; by default about ``ROWS`` of ``samples`` calls together, fewer where K or the number
    of groups is large.
    """
    weight, rng = node.constant(1), np.random.default_rng(seed)
    assert weight is not None
    inner = columns(node)
    most = min(ROWS, WORK // inner**2, ELEMENTS // (inner * node.integer("group", 1)))
    share = share or -(-min(ROWS, max(FEWEST_ROWS * inner, most)) // samples)
    wanted = share * _calls(node, arrays[0])
    if node.op == "FusedGemm":
        return _gemm_rows(arrays, wanted, rng)
    volume, maps = _windows(node, arrays, weight.shape[2:])
    count, groups = int(np.prod(volume.outputs(*maps[0].shape[2:]))), node.integer("group", 1)
    places = [_spread(count, -(-wanted // len(maps[0])), rng) for _ in maps[0]]
    return [
        np.concatenate([rows_in(sample, volume, at, groups) for sample, at in zip(array, places, strict=True)], axis=1)
        for array in maps
    ]


def columns(node: Node) -> int:
    """K, the inputs of an output of the layer."""
    weight = node.constant(1)
    assert weight is not None
    if node.op == "ConvTranspose":
        return int(np.prod(weight.shape[2:], initial=weight.shape[0] // node.integer("group", 1)))
    return int(weight.shape[0] if node.op == "FusedGemm" else np.prod(weight.shape[1:]))


def _windows(node: Node, arrays: Sequence[Array], kernel: tuple[int, ...]) -> tuple[Volume, list[Array]]:
    """The windows of a convolution and the maps they lie in; those of a transposed one lie in its inputs spread apart."""
    if node.op != "ConvTranspose":
        volume, maps = volume_of(node, kernel), arrays
    else:
        alike: dict[str, Attribute] = {"dilations": node.integers("dilations", (1,) * len(kernel))}
        volume, maps = volume_of(Node("Conv", [], [], alike), kernel), [spread(node, array, kernel) for array in arrays]
    assert volume is not None
    return volume, [lifted(array) for array in maps]


def _calls(node: Node, array: Array) -> int:
    """How many calls ``array``, which the node reads first, holds."""
    shape = shape_of(node.input(0))
    return max(1, len(array) // shape[0]) if shape else 1


def _gemm_rows(arrays: Sequence[Array], count: int, rng: np.random.Generator) -> list[Array]:
    rows = [a.reshape(1, -1, a.shape[-1]) for a in arrays]
    return [r[:, at] for at in [_spread(rows[0].shape[1], count, rng)] for r in rows]


def _spread(count: int, share: int, rng: np.random.Generator) -> Array:
    """``share`` of ``count`` indices in rising order, one from each of as many equal parts; all when there are no more."""
    if share >= count:
        return np.arange(count)
    return ((np.arange(share) + rng.random(share)) * count / share).astype(np.int64)


def grouped(node: Node, weight: Array) -> Array:
    """The weight of ``node`` as [groups, rows, K], in float64."""
    if node.op == "FusedGemm":
        return weight.T[None].astype(np.float64)
    groups = node.integer("group", 1)
    weight = mirrored(weight, groups) if node.op == "ConvTranspose" else weight
    return weight.reshape(groups, len(weight) // groups, -1).astype(np.float64)


def cut(rows: Array, parts: int) -> Array:
    """Rows [1, n, K] as [parts, n, K / parts], neighbouring columns together; rows of groups, which are not cut, as they are."""
    return rows if parts == 1 else np.ascontiguousarray(rows.reshape(rows.shape[1], parts, -1).swapaxes(0, 1))


def ungrouped(node: Node, rows: Array, shape: tuple[int, ...]) -> Array:
    """Inverse of ``grouped``."""
    if node.op == "ConvTranspose":
        groups = node.integer("group", 1)
        return np.ascontiguousarray(mirrored(rows.reshape(-1, shape[0] // groups, *shape[2:]), groups))
    return np.ascontiguousarray(rows[0].T) if node.op == "FusedGemm" else rows.reshape(shape)
