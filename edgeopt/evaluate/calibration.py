"""Calibration: from values seen on samples to the range a quantiser covers.

Four rules: ``minmax``, ``percentile`` (99.99 % of the values inside), ``entropy`` (least Kullback-Leibler divergence between the
histogram and its quantised form; Migacz, 8-bit inference with TensorRT, 2017) and ``mse`` (least mean squared rounding error).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.batched import round_to_grid
from edgeopt.evaluate.data import DataSet, fitted
from edgeopt.evaluate.observe import Overlay, batch_size, stream
from edgeopt.ir import Array, Graph
from edgeopt.ops.grid import LIMITS, Quantizer, from_range

SAMPLES = 1 << 16
BINS = 2048
PERCENTILE = 99.99
SHRINK = np.linspace(1.0, 0.3, 36)
Visit = Callable[[int, dict[str, Array]], None]
BROKEN = "the calibration data drives a value to NaN or infinity; check the preprocessing of the data"


@dataclass
class Statistic:
    """What was seen of one value: extremes of all elements, and a random sample of at most about ``SAMPLES`` of them."""

    low: float = float("inf")
    high: float = float("-inf")
    chunks: list[Array] = field(default_factory=list)

    @property
    def sample(self) -> Array:
        """The sampled elements, as one vector of float32."""
        return np.concatenate(self.chunks)

    def add(self, array: Array, keep: int, rng: np.random.Generator) -> None:
        """Take in ``array``, keeping at most ``keep`` elements. Raises EdgeoptError when it holds NaN or infinity."""
        flat = array.reshape(-1)
        low, high = float(flat.min()), float(flat.max())
        if not np.isfinite([low, high]).all():
            raise EdgeoptError(BROKEN)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.chunks.append(flat[rng.integers(0, flat.size, keep)] if flat.size > keep else flat.copy())


def collect(
    graph: Graph,
    names: Iterable[str],
    data: DataSet,
    seed: int = 0,
    overlay: Overlay | None = None,
    visit: Visit | None = None,
) -> dict[str, Statistic]:
    """One Statistic for each named value over all samples of ``data``. Raises EdgeoptError for empty data.

    ``visit`` is called with the index of the first sample and the named values of each batch.
    """
    if not len(data):
        raise EdgeoptError("there are no samples to calibrate on")
    statistics, rng = {name: Statistic() for name in names}, np.random.default_rng(seed)
    data, step = fitted(data, graph), batch_size(graph)
    for start, values in stream(graph, list(statistics), data, overlay, step):
        share = min(step, len(data) - start) / len(data)
        for name, statistic in statistics.items():
            statistic.add(values[name], max(64, int(SAMPLES * share)), rng)
        if visit is not None:
            visit(start, values)
    return statistics


def merged(statistics: Iterable[Statistic]) -> Statistic:
    """One Statistic of values that share their grid."""
    parts = list(statistics)
    return Statistic(min(p.low for p in parts), max(p.high for p in parts), [c for p in parts for c in p.chunks])


def calibrate(statistic: Statistic, method: str, dtype: str, symmetric: bool = False) -> Quantizer:
    """The Quantizer that ``method`` finds for a value. Raises EdgeoptError for an unknown method."""
    if method not in METHODS:
        raise EdgeoptError(f"unknown calibration method '{method}'; known are {', '.join(METHODS)}")
    low, high = METHODS[method](statistic, dtype, symmetric)
    return from_range(low, high, dtype, symmetric)


def _minmax(statistic: Statistic, dtype: str, symmetric: bool) -> tuple[float, float]:
    return statistic.low, statistic.high


def _percentile(statistic: Statistic, dtype: str, symmetric: bool) -> tuple[float, float]:
    low, high = np.percentile(statistic.sample, [100 - PERCENTILE, PERCENTILE])
    return float(low), float(high)


def least(error: Callable[[float, float], float], low: float, high: float, symmetric: bool, shares: Array) -> tuple[float, float]:
    """The range inside [low, high] and zero that ``error`` is least for.

    Both ends shrink together to each of ``shares`` first, then each alone, which is where an asymmetric range gains.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    best = min(((low * s, high * s) for s in shares), key=lambda r: error(*r))
    if low < 0.0 < high and not symmetric:
        best = min(((low * s, best[1]) for s in shares), key=lambda r: error(*r))
        best = min(((best[0], high * s) for s in shares), key=lambda r: error(*r))
    return best


def _mse(statistic: Statistic, dtype: str, symmetric: bool) -> tuple[float, float]:
    sample = statistic.sample

    def error(low: float, high: float) -> float:
        grid = from_range(low, high, dtype, symmetric)
        made = round_to_grid(sample, float(grid.scale), int(grid.zero), grid.low, grid.high)
        return float(np.square(made - sample).mean())

    return least(error, statistic.low, statistic.high, symmetric, SHRINK)


def _entropy(statistic: Statistic, dtype: str, symmetric: bool) -> tuple[float, float]:
    sample, levels = statistic.sample, LIMITS[dtype][1] - LIMITS[dtype][0] + 1
    low, high = min(statistic.low, 0.0), max(statistic.high, 0.0)
    sample = sample[sample != 0]  # every grid holds zero exactly, and the zeros of a ReLU would drown all other bins
    counts, edges = np.histogram(sample, BINS, (low, high if high > low else low + 1.0))
    candidates = [(low * s, high * s) for s in SHRINK]
    return min(candidates, key=lambda r: _divergence(counts.astype(np.float64), edges, r, levels))


def _divergence(counts: Array, edges: Array, bounds: tuple[float, float], levels: int) -> float:
    """KL(P || Q): P clips the outer bins into the range, Q spreads each level's mass over the bins of P that are not empty."""
    centres = (edges[:-1] + edges[1:]) / 2
    inside = (centres >= bounds[0]) & (centres <= bounds[1])
    first, last = int(np.argmax(inside)), len(inside) - int(np.argmax(inside[::-1]))
    p, q = counts[first:last].copy(), counts[first:last]
    p[0] += counts[:first].sum()
    p[-1] += counts[last:].sum()
    group = np.minimum(np.arange(len(p)) * levels // max(len(p), 1), levels - 1)
    mass, filled = np.bincount(group, q, levels), np.bincount(group, (p > 0).astype(np.float64), levels)
    spread = np.where(p > 0, (mass / np.maximum(filled, 1))[group], 0.0)
    p, spread = p / p.sum(), (spread + 1e-9) / (spread + 1e-9).sum()
    present = p > 0
    return float((p[present] * np.log(p[present] / spread[present])).sum())


METHODS: dict[str, Callable[[Statistic, str, bool], tuple[float, float]]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "entropy": _entropy,
    "mse": _mse,
}
