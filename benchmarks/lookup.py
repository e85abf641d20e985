"""Products whose weights are codewords, by table look-up: ``python -m benchmarks.lookup [MODEL...] [--target T] [--json FILE]``.

Single layers of common shapes; or whole networks, whose weights are replaced by random codes. ``--int8 DIR`` also runs an int8
file of each network (made there by onnxruntime's static quantization) in OpenVINO and onnxruntime. On a target that is not this
machine networks are estimated; ``python -m benchmarks.lookup_instructions`` counts what layers execute there.

Random codes and one thread; every way runs in turn in one process, and ratios are those of the least times. The layers count
without the changes of layout at their ends, which a network does not have between them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import lookup_networks
from benchmarks.lookup_layers import LAYERS, Timing, measure, ways
from benchmarks.quantized_files import quantized
from edgeopt.target import Target
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


def show_networks(networks: Sequence[lookup_networks.Network]) -> None:
    """Print milliseconds, ratios to onnxruntime in float, and sizes."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "way", "ms", "x onnxruntime", "x int8", "MB", title="least times, one thread")
    for n in networks:
        for way, spent in n.milliseconds.items():
            size = f"{n.stored[way] / 1e6:.2f}" if way in n.stored else ""
            ratios = [f"{n.milliseconds[o] / spent:.2f}" if o in n.milliseconds else "" for o in ("onnxruntime", "int8")]
            table.add_row(n.name, way, f"{spent:.2f}", *ratios, size)
        table.add_section()
    Console(width=120).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--ways", nargs="+", default=list(lookup_networks.WAYS), choices=list(lookup_networks.WAYS))
    parser.add_argument("--peers", nargs="*", type=Path, default=[], help="further files of the one model, for other engines")
    parser.add_argument("--int8", type=Path, metavar="DIR", help="int8 files for other engines, made here by onnxruntime")
    parser.add_argument("--target", default="host", help="layers: one that this machine can run")
    parser.add_argument("--layers", nargs="*", help="parts of the names of layers, by default all")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each way")
    parser.add_argument("--no-peers", action="store_true", help="without onnxruntime")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    if a.models:
        networks = _networks(a, find_target(a.target))
        show_networks(networks)
        _write(a.json, networks)
        return
    wanted = [layer for layer in LAYERS if not a.layers or any(part in layer.name for part in a.layers)]
    target = find_target(a.target)
    found = [measure(layer, target, a.seconds, ways(layer, target, not a.no_peers)) for layer in wanted]
    show(found, ("K16 C'4", "2 x K16 C'4", "K16 C'2"))
    _write(a.json, found)


def _networks(given: argparse.Namespace, target: Target) -> list[lookup_networks.Network]:
    if not target.runs_here:
        return [lookup_networks.estimated(path, target, given.ways) for path in given.models]
    made = []
    for path in given.models:
        peers = [*given.peers, *([quantized(path, given.int8, False)] if given.int8 else [])]
        made.append(lookup_networks.measure(path, target, given.seconds, peers, given.ways))
    return made


def _write(path: Path | None, found: Sequence[Timing] | Sequence[lookup_networks.Network]) -> None:
    if path is not None:
        path.write_text(json.dumps([asdict(f) for f in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
