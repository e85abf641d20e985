"""The first layers of networks as tiles: ``python -m benchmarks.tiles MODEL.onnx... [--grid 2x2]``.

Memory per machine (maps and weights as compiled) and work against those layers on one machine; the largest difference of the
results, compiled, on random inputs; and the least times of the layers as a whole and of the slowest tile, each alone on one
thread of this machine, so that their ratio is what tiles on equal neighbours can gain before anything is sent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeopt.assembly import assemble
from edgeopt.frontend import load
from edgeopt.ir import Array, Graph
from edgeopt.partition.grid.split import LEVEL, Split, split
from edgeopt.partition.parts import parts
from edgeopt.pipeline import optimize
from edgeopt.target import target as find_target

ROUNDS = 7
MB = 1e6


@dataclass(frozen=True)
class Compared:
    """The largest ``difference`` as a share of the largest result; seconds of the ``whole`` and of the slowest ``tile``."""

    difference: float
    whole: float
    tile: float


def compare(graph: Graph, found: Split) -> Compared:
    """Run the layers on one machine and as tiles."""
    inside = {id(node) for node in found.front.nodes}
    front = parts(graph, [int(id(node) not in inside) for node in graph.nodes], ("front", "rest")).graphs["front"]
    target, source = find_target("host"), found.front.inputs[0]
    assert source.type is not None
    x = np.random.default_rng(4).standard_normal(source.type.dims).astype(np.float32)
    whole = assemble(front, target, LEVEL)
    expected = whole.run({source.name: x})[found.front.end.name]
    runs: list[Callable[[], object]] = [lambda: whole.run({source.name: x})]
    made: Array = np.full_like(expected, np.nan)
    for name, boxes in found.tiles.items():
        tile, (rows, columns) = assemble(found.graphs[name], target, LEVEL), boxes[source].spans
        part = np.ascontiguousarray(x[:, :, slice(*rows), slice(*columns)])
        (top, bottom), (left, right) = boxes[found.front.end].spans
        made[:, :, top:bottom, left:right] = tile.run({source.name: part})[name]
        runs.append(lambda tile=tile, part=part: tile.run({source.name: part}))  # type: ignore[misc]
    times = [min(column) for column in zip(*([_seconds(run) for run in runs] for _ in range(ROUNDS)), strict=True)]
    return Compared(float(np.abs(made - expected).max() / np.abs(expected).max()), times[0], max(times[1:]))


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Split, compare and print."""
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--grid", default="2x2")
    a = parser.parse_args()
    rows, columns = map(int, a.grid.split("x"))
    heads = ("model", "layers", "of the work", "one machine MB", "tile MB", "less", "redundant", "difference")
    table = Table(*heads, "whole ms", "tile ms", title=f"{a.grid} tiles")
    for path in a.models:
        graph = load(path)
        optimize(graph)
        found = split(graph, rows, columns, find_target("host"))
        seen = compare(graph, found)
        tile = max(found.memory[name].total for name in found.tiles)
        table.add_row(
            path.stem, str(len(found.front.nodes)), f"{found.share:.0%}", f"{found.whole.total / MB:.2f}", f"{tile / MB:.2f}",
            f"{1 - tile / found.whole.total:.0%}", f"{found.redundant:.1%}", f"{seen.difference:.1g}",
            f"{1e3 * seen.whole:.2f}", f"{1e3 * seen.tile:.2f}",
        )  # fmt: skip
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
