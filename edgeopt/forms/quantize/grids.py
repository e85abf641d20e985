"""The grids of all values that a plan rounds, from one run over the calibration samples.

Besides the rules of ``accuracy.calibration``, which look at one value alone, there is ``product``: the range whose rounding and
clipping change least what the layers compute that read the value. Rounding errors of many inputs cancel in a sum of products,
clipped ones do not, so its ranges are wider than those of ``mse`` where inputs exceed a range together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.evaluate.batched import round_to_grid
from edgeopt.evaluate.calibration import METHODS, Statistic, calibrate, collect, least, merged
from edgeopt.evaluate.data import DataSet
from edgeopt.evaluate.observe import Overlay
from edgeopt.evaluate.parallel import side_by_side
from edgeopt.forms.moments import columns, grouped, sampled_rows
from edgeopt.ir import Array, Graph, Node, Value
from edgeopt.ops.grid import QuantizationScheme, Quantizer, from_range
from edgeopt.ops.grids import grid_groups

PRODUCT = "product"
RULES = (PRODUCT, *METHODS)
SHARES = np.geomspace(1.0, 0.2, 14)
ROWS = 2048
ELEMENTS = 1 << 20  # of the rows of one layer


@dataclass(frozen=True)
class Evidence:
    """What one layer reads in float, as ``rows`` [groups, rows, K], and its ``weight`` [groups, outputs, K].

    ``power`` is the variance of the products, against which errors are measured.
    """

    rows: Array
    weight: Array
    power: float

    def error(self, grid: Quantizer) -> float:
        """Mean squared error of the products when the rows are rounded to ``grid``, relative to ``power``."""
        d = _rounded(self.rows, grid) - self.rows
        return float(np.square(np.matmul(d, self.weight.transpose(0, 2, 1))).mean()) / self.power


class Grids:
    """Seen on ``data``: every value that quantising ``nodes`` rounds, and what these nodes make of it."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], data: DataSet, overlay: Overlay | None = None) -> None:
        self._groups = grid_groups(graph, nodes)
        self._nodes = nodes
        rows: dict[Node, list[Array]] = {node: [] for node in nodes}

        def keep(start: int, values: dict[str, Array]) -> None:
            for node, parts in rows.items():
                parts.append(sampled_rows(node, [values[_source(node).name]], len(data), start, _share(node, len(data)))[0])

        names = [v.name for g in self._groups for v in g]
        self._seen = collect(graph, names, data, overlay=overlay, visit=keep)
        self._evidence = {node: _evidence(node, np.concatenate(parts, axis=1)) for node, parts in rows.items()}

    def found(self, method: str, scheme: QuantizationScheme) -> dict[str, Quantizer]:
        """The Quantizer of each value by ``method``, one of ``RULES``. Raises EdgeoptError for an unknown method."""
        if method not in RULES:
            raise EdgeoptError(f"unknown calibration method '{method}'; known are {', '.join(RULES)}")
        grids = side_by_side(lambda group: self._grid(group, method, scheme), self._groups)
        return {v.name: grid for group, grid in zip(self._groups, grids, strict=True) for v in group}

    def _grid(self, group: Sequence[Value], method: str, scheme: QuantizationScheme) -> Quantizer:
        seen = merged(self._seen[v.name] for v in group)
        readers = [n for n in self._nodes if _source(n) in group]
        if method == PRODUCT and readers:
            return self._by_products(seen, group, readers, scheme)
        return calibrate(seen, "mse" if method == PRODUCT else method, scheme.activations, scheme.symmetric)

    def _by_products(
        self, seen: Statistic, group: Sequence[Value], readers: Iterable[Node], scheme: QuantizationScheme
    ) -> Quantizer:
        evidence = [self._evidence[n] for n in readers]
        # A residual is added as it is to the products of another layer.
        added = sum(1.0 / self._evidence[n].power for n in self._nodes if n.input(3) in group)
        sample = seen.sample

        def error(low: float, high: float) -> float:
            grid = from_range(low, high, scheme.activations, scheme.symmetric)
            alone = float(np.square(_rounded(sample, grid) - sample).mean()) * added if added else 0.0
            return alone + sum(e.error(grid) for e in evidence)

        low, high = least(error, seen.low, seen.high, scheme.symmetric, SHARES)
        return from_range(low, high, scheme.activations, scheme.symmetric)


def _source(node: Node) -> Value:
    source = node.input(0)
    assert source is not None
    return source


def _share(node: Node, samples: int) -> int:
    return -(-min(ROWS, max(1, ELEMENTS // (columns(node) * node.integer("group", 1)))) // samples)


def _evidence(node: Node, rows: Array) -> Evidence:
    array = node.constant(1)
    assert array is not None
    weight = grouped(node, array).astype(np.float32)
    return Evidence(rows, weight, float(np.matmul(rows, weight.transpose(0, 2, 1)).var()) + 1e-30)


def _rounded(array: Array, grid: Quantizer) -> Array:
    return round_to_grid(array, float(grid.scale), int(grid.zero), grid.low, grid.high)
