"""Bounds of a joint search on emulated processors: is what the program really takes inside them, or which of them cannot be kept?

    python -m benchmarks.bounds --models DIR --data DIR [--only NAME,...] [--targets cortex-m4,cortex-a53] [--shares 1,0.5,0.3]
        [--samples N] [--json FILE]

Folders are those of ``benchmarks.networks``. Bounds are shares of what the exact network takes at -O2: flash and RAM of a
microcontroller, bytes as stored and arena of others. A search within one point is asked for flash and RAM together, and for each
alone; one that is refused is asked again for what the nearest network takes. What is made is linked into a program that runs N
samples under qemu: its sections (less, of a board, those of one that computes nothing), the stack that was seen to be used, and
how often it is right, beside this machine's code on the same samples.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import edgeopt
from benchmarks.mcu import linked
from benchmarks.networks import data_of, network_arguments, networks, reported
from edgeopt.codegen.elf import Elf
from edgeopt.evaluate import metrics
from edgeopt.evaluate.data import DataSet
from edgeopt.frontend import load
from edgeopt.ir import Array
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.search.limits import Infeasible
from edgeopt.target import Target, target
from edgeopt.within_limits import figures_of


@dataclass
class Row:
    """Bytes that are allowed (0: any) and what the emulated program takes; percent right there and here.

    Where the bounds were ``refused``, bytes are those of the nearest network, which was ``asked`` for again, if that holds.
    """

    network: str
    target: str
    share: float
    size_bound: int
    ram_bound: int
    size: int = 0
    ram: int = 0
    right: float = 0.0
    here: float = 0.0
    refused: str = ""
    asked: bool = False

    @property
    def inside(self) -> bool:
        """Whether all that is taken is allowed; of what was refused, whether asking for the nearest network gives one."""
        if self.refused:
            return self.asked
        return not (self.size_bound and self.size > self.size_bound) and not (self.ram_bound and self.ram > self.ram_bound)


def rows(given: argparse.Namespace) -> Iterator[Row]:
    """Every network on every target with all bounds."""
    for path in networks(given):
        calibration, data = data_of(path, given.data, load(path))
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(shutil.copy(path, Path(folder) / "network.onnx"))  # by which name its functions go
            for facts in map(target, given.targets.split(",")):
                exact = figures_of(edgeopt.compile(copied, 2, unbounded(facts)), facts)
                for share in map(float, given.shares.split(",")):
                    whole = int(share * exact["size"]), int(share * exact["memory"])
                    for bounds in (whole, (whole[0], 0), (0, whole[1])):
                        row = Row(path.stem, facts.name, share, *bounds)
                        yield measured(row, copied, facts, data, calibration, given.samples)


def unbounded(facts: Target) -> Target:
    """The processor with any memory."""
    return replace(facts, ram=0, flash=0)


def measured(row: Row, path: Path, facts: Target, data: DataSet, calibration: DataSet, samples: int) -> Row:
    """``row`` with what is found for its bounds."""

    def found(size: float, ram: float) -> CompiledModel:
        bounds = {"max_flash" if facts.bare else "max_size": int(size), "max_ram": int(ram)}
        options = edgeopt.Options(onnx=False, **{name: bound for name, bound in bounds.items() if bound})  # type: ignore[arg-type]
        return edgeopt.compile(path, 3, unbounded(facts), data=data, calibration=calibration, options=options)

    try:
        made = found(row.size_bound, row.ram_bound)
    except Infeasible as error:
        row.refused, nearest = str(error), error.nearest
        try:
            made = found(row.size_bound and nearest["size"], row.ram_bound and nearest["memory"])
        except Infeasible:
            return row
        row.asked = True
    few = data.subset(samples)
    assert few.labels is not None
    with Emulator(made) as emulator:
        there = next(iter(emulator.run(few.arrays).values()))
        row.size, row.ram = taken(made, emulator)
    row.right, row.here = (metrics.accuracy(outputs, few.labels) for outputs in (there, of_this_machine(made, few)))
    return row


def taken(made: CompiledModel, emulator: Emulator) -> tuple[int, int]:
    """Bytes of flash and RAM in the linked program of a board; else of the files, and of the program's arena."""
    if emulator.target.bare:
        return linked(made, emulator)
    arena = made.manifest["arena_bytes"] + made.manifest["scratch_bytes"]
    held = len(Elf((emulator.folder / "program.elf").read_bytes()).sections().get(".bss", b""))
    assert held >= arena
    return int(figures_of(made, emulator.target)["size"]), arena


def of_this_machine(made: CompiledModel, data: DataSet) -> Array:
    """What the same network gives here."""
    assert made.graph is not None
    here = edgeopt.compile(made.graph, 0)
    return np.asarray(next(iter(here.run(data.arrays).values())))


def markdown(found: list[Row]) -> str:
    """A table."""
    lines = ["| network | target | share | size, bound | RAM, bound | inside | % right, here |", "|---|---|---|---|---|---|---|"]
    for r in found:
        held = ("the nearest" if r.asked else "NOT EVEN THE NEAREST") if r.refused else "yes" if r.inside else "NO"
        said = f"{held} | {r.right:.1f}, {r.here:.1f}"
        sizes = f"{against(r.size, r.size_bound)} | {against(r.ram, r.ram_bound)}"
        lines.append(f"| {r.network} | {r.target} | {r.share:g} | {sizes} | {said} |")
    made = [r for r in found if not r.refused]
    inside = f"{sum(r.inside for r in made)} of {len(made)} programs are inside"
    again = f"{sum(r.asked for r in found)} of {len(found) - len(made)} that were refused are there for what the nearest takes"
    return "\n".join([*lines, f"{inside}; {again}"])


def against(took: int, bound: int) -> str:
    """Bytes, and how many are allowed."""
    return f"{took:,} of {bound:,}" if bound else f"{took:,}"


if __name__ == "__main__":
    parser = network_arguments(__doc__)
    parser.add_argument("--targets", default="cortex-m4,cortex-a53")
    parser.add_argument("--shares", default="1,0.5,0.3")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    reported(rows(arguments), markdown, arguments.json)
