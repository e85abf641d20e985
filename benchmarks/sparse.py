"""Weights with blocks of zeros: ``python -m benchmarks.sparse [--network FILE --block 16x4 --density 0.25] [--json FILE]``.

Random weights and one thread; every way runs in turn in one process, and ratios are those of the least times. Layers count
without the changes of layout at their ends, which a network does not have between them; a network counts as a whole. 1x1 are
single weights (CSR), and N:32 those of which each output of a matrix product keeps N of every 32 inputs. With ``--finer`` zeros
lie in smaller blocks than there are kernels for (4x1, 4x4). Zeros are put into all layers of a network but the first and
depthwise ones; with ``--pointwise`` into 1x1 convolutions and products alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.lookup_layers import LAYERS, Timing, measure
from benchmarks.machine import multiply_adds
from benchmarks.sparse_layers import FINER, PATTERNS, Pattern, ways
from benchmarks.sparse_networks import measure_network
from edgeopt.target import target as find_target

BASES = ("int8", "fp32", "dense", "onnxruntime", "onnxruntime int8")


def show(timings: Sequence[Timing]) -> None:
    """Print microseconds, and how much faster than the others each sparse way is."""
    from rich.console import Console
    from rich.table import Table

    bases = [base for base in BASES if any(base in timing.hot for timing in timings)]
    table = Table("layer", "way", "µs", *(f"x {base}" for base in bases), title="least times, one thread")
    for timing in timings:
        for suffix, times in (("", timing.hot), (" cold", timing.cold)):
            for way in times:
                ratios = [f"{times[base] / times[way]:.2f}" if base in times and way not in BASES else "" for base in bases]
                table.add_row(timing.layer + suffix, way, f"{times[way]:.1f}", *ratios)
        table.add_section()
    Console(width=130).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="host", help="a target this machine can run")
    parser.add_argument("--layers", nargs="*", help="parts of the names of layers, by default all")
    parser.add_argument("--patterns", nargs="*", help="parts of the names of patterns, such as 'int8 16x4', by default all")
    parser.add_argument("--finer", action="store_true", help="zeros in smaller blocks than they are stored in")
    parser.add_argument("--network", type=Path, help="a float or QDQ model, in the place of layers")
    parser.add_argument("--float", type=Path, dest="peer", help="with a QDQ network: its float model, for onnxruntime")
    parser.add_argument("--block", default="16x4", help="outputs x inputs of a block of zeros")
    parser.add_argument("--density", type=float, default=0.25, help="share of the blocks that are not zero")
    parser.add_argument("--pointwise", action="store_true", help="zeros in 1x1 convolutions and matrix products alone")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each way")
    parser.add_argument("--no-peers", action="store_true", help="without onnxruntime")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    target = find_target(a.target)
    print(f"this core: {2e-9 * multiply_adds(target):.1f} GF/s of float multiply-adds")
    if a.network:
        height, width = (int(n) for n in a.block.split("x"))
        pattern = Pattern((height, width), a.density, a.peer is not None)
        peers = {"onnxruntime": a.peer or a.network} | ({"onnxruntime int8": a.network} if a.peer else {})
        found = [measure_network(a.network, pattern, a.pointwise, target, a.seconds, {} if a.no_peers else peers)]
    else:
        wanted = [layer for layer in LAYERS if not a.layers or any(part in layer.name for part in a.layers)]
        known = FINER if a.finer else PATTERNS
        patterns = [pattern for pattern in known if not a.patterns or any(part in pattern.name for part in a.patterns)]
        found = [measure(layer, target, a.seconds, ways(layer, target, not a.no_peers, patterns)) for layer in wanted]
    show(found)
    if a.json:
        a.json.write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
