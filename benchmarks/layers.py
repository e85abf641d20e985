"""Every layer against the limits of this machine: ``python -m benchmarks.layers MODEL... [--shapes] [--json FILE]``.

One thread, least times. A row is one node, or the change of layout before it. Percentages are of the multiply-add rate and, for
layers with few multiplications for a byte (fully connected, depthwise), of the read bandwidth at their size; the same command
measures both with kernels of the same emitter. Bytes are weights, inputs and outputs, each once.
Winograd convolutions count the multiplications of the direct form and may pass 100 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from math import prod
from pathlib import Path

import numpy as np
from onnx import ModelProto

import edgeopt
from benchmarks.machine import multiply_adds, read_bandwidth
from edgeopt.cost.suite import Network
from edgeopt.ir import Node, numpy_dtype
from edgeopt.ops.macs import macs
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import Target
from edgeopt.target import target as find_target

FEW = 4  # multiplications for a byte, up to which memory may be the limit


@dataclass
class Row:
    """A layer: multiply-accumulates, milliseconds, billions of operations per second and percents of the machine's limits.

    ``peak`` is given where there are multiply-accumulates, ``bandwidth`` where they are few for a byte.
    """

    network: str
    node: str
    kernel: str
    macs: int
    milliseconds: float
    rate: float = 0.0
    peak: float | None = None
    bandwidth: float | None = None


def rows(name: str, compiled: CompiledModel, repeats: int) -> list[Row]:
    """The layers of a model that was compiled for a target this machine can run."""
    target, rng = Target(**compiled.manifest["target"]), np.random.default_rng(0)
    inputs = {i["name"]: rng.standard_normal(i["shape"]).astype(i["dtype"]) for i in compiled.manifest["inputs"]}
    steps = list(zip(compiled.manifest["kernels"], compiled.profile(inputs, repeats), strict=True))
    known = {node.name: node for node in compiled.graph.nodes}
    found = []
    for (node, moves), group in groupby(steps, lambda s: (s[0]["node"], "relayout" in s[0]["kernel"])):
        members = list(group)
        kernels = " + ".join(dict.fromkeys(about["kernel"] for about, _ in members))
        seconds, layer = sum(s for _, s in members), None if moves else known.get(node)
        row = Row(name, node, kernels, (macs(layer) or 0) if layer is not None else 0, 1e3 * seconds)
        if row.macs and seconds > 0 and layer is not None:
            size = _bytes(layer)
            row.rate = 2e-9 * row.macs / seconds
            row.peak = 100 * row.macs / seconds / multiply_adds(target)
            if row.macs <= FEW * size:
                row.bandwidth = 100 * size / seconds / read_bandwidth(target, size)
        found.append(row)
    return found


def _bytes(node: Node) -> int:
    values = {v for v in [*node.inputs, *node.outputs] if v is not None and v.type is not None and v.type.static}
    return sum(prod(v.type.dims) * numpy_dtype(v.type.dtype).itemsize for v in values if v.type is not None)


def single_layers() -> Iterator[tuple[ModelProto, int]]:
    """Networks of one layer with the level to compile them at; 3x3 convolutions are direct at level 1 and Winograd's at 2."""
    for channels, side in ((64, 56), (128, 28), (256, 14), (512, 7)):
        for size, level in ((1, 1), (3, 1), (3, 2)):
            yield _convolution(f"{size}x{size} {channels}@{side} -O{level}", channels, side, size, 1, 1), level
    yield _convolution("3x3 128@28 stride 2", 128, 28, 3, 2, 1), 1
    for channels, side, size, stride in ((32, 112, 3, 1), (64, 112, 3, 2), (128, 56, 3, 2), (512, 14, 3, 1), (240, 28, 5, 1)):
        name = f"depthwise {size}x{size} {channels}@{side} stride {stride}"
        yield _convolution(name, channels, side, size, stride, channels), 1
    for size in (1024, 4096):
        network = Network(f"fully connected {size}")
        network.dense(network.input(1, size), size, size)
        yield network.model(), 1


def _convolution(name: str, channels: int, side: int, size: int, stride: int, group: int) -> ModelProto:
    network = Network(name)
    network.conv(network.input(1, channels, side, side), channels, channels, size, stride, group)
    return network.model()


def show(found: list[Row], target: Target) -> None:
    """Print the table, the sums and the limits of the machine."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "node", "kernel", "MMAC", "ms", "GF/s", "% FMA", "% read", title="one thread, least times")
    for r in found:
        cells = [f"{r.macs / 1e6:.2f}", f"{r.milliseconds:.4f}", f"{r.rate:.1f}", _percent(r.peak), _percent(r.bandwidth)]
        table.add_row(r.network, r.node[-40:], r.kernel, *cells)
    console = Console(width=160)
    console.print(table)
    peak = multiply_adds(target)
    for network, group in groupby(found, lambda r: r.network):
        members = list(group)
        if len(members) == 1:
            continue
        total, products = sum(r.milliseconds for r in members), sum(r.macs for r in members)
        console.print(f"{network}: {total:.3f} ms, {1e5 * products / total / peak:.0f} % of the FMA rate", highlight=False)
    console.print(f"this core: {2e-9 * peak:.1f} GF/s of multiply-adds", highlight=False)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def main() -> None:
    """Compile, time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--shapes", action="store_true", help="measure single layers of common shapes")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--target", default="host", help="a target this machine can run")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    found = [r for p in a.models for r in rows(p.stem, edgeopt.compile(p, a.level, a.target), a.repeats)]
    for model, level in single_layers() if a.shapes else ():
        found += [r for r in rows(model.graph.name, edgeopt.compile(model, level, a.target), a.repeats) if r.macs]
    target = find_target(a.target)
    show(found, target)
    if a.json:
        limits = {"multiply_adds_per_second": multiply_adds(target)}
        a.json.write_text(json.dumps({"machine": limits, "layers": [asdict(r) for r in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
