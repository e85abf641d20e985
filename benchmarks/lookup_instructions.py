"""Instructions of look-ups on Arm, beside those of bytes: ``python -m benchmarks.lookup_instructions [MODEL...]``.

Single layers, or whole networks whose weights are replaced; codes are random. An inference is executed under qemu-user
(``benchmarks.arm_instructions`` says how it is counted; the log of AlexNet has some hundred MB), beside the number that the cost
model comes to without executing anything, and the time that it estimates from it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.arm_instructions import run_logged
from benchmarks.lookup_layers import BOOKS, Layer, integer_graph, lookup_graph
from benchmarks.lookup_networks import WAYS, changed
from edgeopt.assembly import assemble
from edgeopt.cost import estimate
from edgeopt.cost.calibrate import program_of
from edgeopt.cost.census import census
from edgeopt.cost.core import instructions as instructions_of
from edgeopt.ir import Graph
from edgeopt.ir.clone import clone
from edgeopt.report.layers import layers, totals
from edgeopt.runtime.writing import FileForm
from edgeopt.target import target as find_target

LAYERS = (Layer(64, 64, 14, 3), Layer(256, 256, 7), Layer(1024, 1024, 0))  # small, for every executed block is logged
LEVEL = 2
WHOLE = ("int8", "k16c4")  # of the ways to store whole networks
PLAIN = FileForm(coded=False, onnx=False)  # weights that nothing has to be executed for before they are used


@dataclass
class Row:
    """A layer, or a network, in one way on one target."""

    target: str
    layer: str
    way: str
    macs: int
    instructions: int
    counted: int
    milliseconds: float


def count(graph: Graph, name: str, layer: str, way: str) -> Row:
    """Execute, count and estimate."""
    target = find_target(name)
    macs = totals(layers(graph)).macs
    compiled = assemble(clone(graph), target, LEVEL, symbol="model", library=True, form=PLAIN)
    instructions, _ = run_logged(compiled, target)
    program = program_of(graph, target, LEVEL)
    counted = int(instructions_of(census(program, target)))
    return Row(name, layer, way, macs, instructions, counted, 1e3 * estimate(program, graph, target).seconds)


def show(rows: Sequence[Row]) -> None:
    """Print the table; ratios are to bytes on the same target."""
    from rich.console import Console
    from rich.table import Table

    table = Table("target", "of", "way", "instructions", "per MAC", "cost model counts", "estimate, ms", "x int8, estimated")
    bytes_ = {(r.target, r.layer): r for r in rows if r.way == "int8"}
    for r in rows:
        ratio = bytes_[r.target, r.layer].milliseconds / r.milliseconds
        shares = (f"{r.instructions / r.macs:.3f}", f"{r.counted / r.instructions:.0%}", f"{r.milliseconds:.2f}", f"{ratio:.2f}")
        table.add_row(r.target, r.layer, r.way, f"{r.instructions:,}", *shares)
    Console(width=130).print(table)


def _layers(name: str) -> Iterator[Row]:
    for layer in LAYERS:
        yield count(integer_graph(layer, "int8"), name, layer.name, "int8")  # signed, as these processors multiply
        for way, books in BOOKS.items():
            yield count(lookup_graph(layer, books, "int8"), name, layer.name, way)


def _networks(paths: Sequence[Path], name: str) -> Iterator[Row]:
    for path in paths:
        for way in WHOLE:
            yield count(changed(path, find_target(name), WAYS[way]), name, path.stem, way)


def main() -> None:
    """Count every layer, or network, on every target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--targets", nargs="+", default=["cortex-a53", "cortex-a72", "cortex-a76"])
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    found = (_networks(a.models, name) if a.models else _layers(name) for name in a.targets)
    rows = [row for every in found for row in every]
    show(rows)
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
