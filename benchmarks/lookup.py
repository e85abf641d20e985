"""Products whose weights are codewords, by table look-up: ``python -m benchmarks.lookup [--target T] [--json FILE]``.

Random codes and one thread; every way runs in turn in one process, and ratios are those of the least times. The layers count
without the changes of layout at their ends, which a network does not have between them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.lookup_layers import LAYERS, Timing, measure, ways
from edgeopt.target import target as find_target


def show(timings: Sequence[Timing], own: Sequence[str]) -> None:
    """Print microseconds, and how much faster than the others the ways in ``own`` are."""
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "way", "µs", "x int8", "x onnxruntime", "x onnxruntime int8", title="least times, one thread")
    for timing in timings:
        for suffix, times in (("", timing.hot), (" cold", timing.cold)):
            for way in times:
                others = ("int8", "onnxruntime", "onnxruntime int8") if way in own else ()
                ratios = [f"{times[o] / times[way]:.2f}" if o in times else "" for o in others]
                table.add_row(timing.layer + suffix, way, f"{times[way]:.1f}", *ratios)
        table.add_section()
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="host", help="a target this machine can run")
    parser.add_argument("--layers", nargs="*", help="parts of the names of layers, by default all")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each way")
    parser.add_argument("--no-peers", action="store_true", help="without onnxruntime")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    wanted = [layer for layer in LAYERS if not a.layers or any(part in layer.name for part in a.layers)]
    target = find_target(a.target)
    found = [measure(layer, target, a.seconds, ways(layer, target, not a.no_peers)) for layer in wanted]
    show(found, ("K16 C'4", "2 x K16 C'4", "K16 C'2"))
    if a.json:
        a.json.write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
