"""The cost model of this machine against measurement: ``python -m benchmarks.cost_model MODEL... [--level 2] [--layers]``.

Uses what ``edgeopt calibrate`` kept, which is fitted to networks of its own and to none of these. A layer is a node with all
of its steps. Prints per network and over all layers: rank correlation (Spearman), median relative error, totals.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import edgeopt
from edgeopt.cost.calibrate import measure
from edgeopt.cost.core import Core, core, load
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.target import host


@dataclass
class Comparison:
    """Expected and measured seconds of the layers of one network."""

    network: str
    layers: list[str]
    expected: Array
    measured: Array

    @property
    def correlation(self) -> float:
        """Spearman's rank correlation; 1 for fewer than three layers."""
        return float(spearmanr(self.expected, self.measured)[0]) if len(self.layers) > 2 else 1.0

    @property
    def error(self) -> float:
        """Median relative error of the layers that took any time."""
        known = self.measured > 0
        return float(np.median(np.abs(self.expected - self.measured)[known] / self.measured[known]))


def compare(path: Path, rates: Core, level: int) -> Comparison:
    """Compile, time and estimate one network."""
    found = measure(edgeopt.compile(path, level=level))
    expected = rates.cycles(found.census, found.traffic) / rates.frequency
    layers = list(dict.fromkeys(found.nodes))
    member = np.array([[node == layer for node in found.nodes] for layer in layers], float)
    return Comparison(path.stem, layers, member @ expected, member @ found.seconds)


def show(results: list[Comparison], each: bool) -> None:
    """Print the table, and every layer when asked for."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=130)
    table = Table(
        "network", "layers", "rank correlation", "median error", "estimated ms", "measured ms", title="estimated and measured"
    )
    for r in results:
        sums = [f"{1e3 * r.expected.sum():.3f}", f"{1e3 * r.measured.sum():.3f}"]
        table.add_row(r.network, str(len(r.layers)), f"{r.correlation:.3f}", f"{100 * r.error:.1f} %", *sums)
        for name, a, b in zip(r.layers, r.expected, r.measured, strict=True) if each else ():
            console.print(
                f"{r.network} {name}: {1e6 * a:.2f} µs estimated, {1e6 * b:.2f} µs measured", markup=False, highlight=False
            )
    console.print(table)
    parts = [np.concatenate([getattr(r, name) for r in results]) for name in ("expected", "measured")]
    whole = Comparison("all", [layer for r in results for layer in r.layers], *parts)
    console.print(f"{len(whole.layers)} layers: rank correlation {whole.correlation:.3f}, median error {100 * whole.error:.1f} %")


def main() -> None:
    """Compare every model that compiles without host steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    if load(host()) is None:
        raise SystemExit("this machine is not calibrated: run `edgeopt calibrate`")
    results = []
    for path in a.models:
        try:
            results.append(compare(path, core(host()), a.level))
        except EdgeoptError as error:
            print(f"{path.stem} left out: {error}")
    show(results, a.layers)
    if a.json:
        rows = [{"network": r.network, "correlation": r.correlation, "error": r.error, "layers": len(r.layers)} for r in results]
        a.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
