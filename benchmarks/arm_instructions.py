"""Instructions of an inference under emulation: ``python -m benchmarks.arm_instructions MODEL... [--target cortex-a72]``.

``--sparse`` counts single layers with random blocks of zeros, in every way there is to store them, in the place of models,
``--kinds`` one layer of each kind (``arm_kinds``).

qemu-user logs every translated block with its disassembly and every execution of a block; the instructions of the model's own
functions are summed over ``NAME_run``. Besides: what the cost model counts without running anything, and how close the inner
loops are to what llvm-mca says is possible (``arm_loops``). The log of a network of 12 million multiply-accumulates has about
30 MB.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

import edgeopt
from benchmarks.arm_agreement import inputs_of
from benchmarks.arm_kinds import kinds
from benchmarks.arm_loops import bounds
from benchmarks.lookup_layers import Layer
from benchmarks.sparse_layers import PATTERNS, Pattern, sparse_graph
from edgeopt.codegen.build import link
from edgeopt.codegen.optimise import target_machine
from edgeopt.codegen.toolchain import compiler, invoke, missing
from edgeopt.cost.calibrate import program_of
from edgeopt.cost.census import census
from edgeopt.cost.core import instructions as instructions_of
from edgeopt.errors import EdgeoptError
from edgeopt.report.layers import layers, totals
from edgeopt.runtime.emulate import emulator
from edgeopt.runtime.model import CompiledModel
from edgeopt.target import Target

_VECTOR = re.compile(r"\b(?:v\d+\.|q\d+)|\bd\d+\[|\{d\d+")
_OWN = re.compile(r"^(?:call_|step_|kernel_|\w+_run$|\w+_steps?$)")
SPARSE, DENSITY = (Layer(64, 64, 14, 3), Layer(128, 64, 14), Layer(512, 512, 0)), 0.2


@dataclass
class Row:
    """Executed instructions of one inference, for ``macs`` multiply-accumulates, or ``macs`` elements where it has none.

    ``counted`` is the cost model's number, ``bound`` the share of the fmla bound, ``busiest`` that of the busiest unit.
    """

    network: str
    macs: int
    instructions: int
    vector: int
    counted: int
    bound: float
    busiest: float

    @property
    def per_mac(self) -> float:
        """Instructions for each multiply-accumulate (or element)."""
        return self.instructions / max(1, self.macs)


def executed(log: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Instructions and vector instructions of each own function, from a log of ``-d in_asm,exec,nochain``."""
    blocks: dict[int, tuple[int, int]] = {}
    every: Counter[str] = Counter()
    vector: Counter[str] = Counter()
    start = 0
    lines: list[str] = []
    for line in log:
        if line.startswith("IN:"):
            start, lines = 0, []
        elif line.startswith("0x"):
            start = start or int(line.split(":")[0], 16)
            lines.append(line)
        elif line.startswith("Trace"):
            if start:
                blocks[start], start = (len(lines), sum(bool(_VECTOR.search(text)) for text in lines)), 0
            address, name = int(line.split("/")[1], 16), line.rsplit("]", 1)[1].strip()
            if _OWN.match(name):
                every[name] += blocks[address][0]
                vector[name] += blocks[address][1]
    return every, vector


def run_logged(compiled: CompiledModel, target: Target) -> tuple[int, int]:
    """Build the example, run it once under emulation, and count; instructions and vector instructions."""
    command = compiler(target)
    if command is None:
        raise EdgeoptError(missing(target))
    with tempfile.TemporaryDirectory(prefix="edgeopt-count-") as name:
        folder = Path(name)
        for file in ("libmodel.a", "model.h", "example.c", "weights.bin"):
            (folder / file).write_bytes(compiled.files[file])
        arrays = inputs_of(compiled).values()
        for index, array in enumerate(arrays):
            (folder / f"in{index}").write_bytes(array.tobytes())
        invoke([*command, "-O2", "-std=c11", "-static", "-o", "example", "example.c", "libmodel.a", "-lm"], folder)
        files = [f"in{i}" for i in range(len(arrays))] + [f"out{i}" for i in range(len(compiled.manifest["outputs"]))]
        invoke([*emulator(target), "-d", "in_asm,exec,nochain", "-D", "log", "./example", "weights.bin", *files], folder)
        with (folder / "log").open() as log:
            every, vector = executed(log)
    return every.total(), vector.total()


def count(path: Path, name: str, level: int) -> Row:
    """Count one network on the target ``name``."""
    return counted(path.stem, edgeopt.compile(path, level=level, target=name), level)


def sparse(name: str, level: int) -> Iterator[Row]:
    """Count layers with one of five blocks left; nothing in them is decided, they are stored by their blocks."""
    for layer, pattern in ((layer, pattern) for layer in SPARSE for pattern in PATTERNS if served(layer, pattern)):
        compiled = edgeopt.compile(sparse_graph(layer, pattern), level=1, target=name)
        yield counted(f"{layer.name} {pattern.name}", compiled, level)


def served(layer: Layer, pattern: Pattern) -> bool:
    """Whether the layer is counted with the pattern: there is a kernel for it on Arm."""
    if pattern.window:
        return not layer.side and pattern.integers
    return pattern.density == DENSITY and (layer.side > 0 or pattern.block != (1, 1))


def counted(network: str, compiled: CompiledModel, level: int) -> Row:
    """Run one network, and count it by the cost model."""
    target = Target(**compiled.manifest["target"])
    instructions, vector = run_logged(compiled, target)
    program = program_of(compiled.graph, target, level)
    expected = int(instructions_of(census(program, target)))
    assembly = target_machine(target).emit_assembly(link(program, target, library=True))
    work = totals(layers(compiled.graph)).macs or sum(prod(v.type.dims) for v in compiled.graph.outputs if v.type is not None)
    return Row(network, work, instructions, vector, expected, *bounds(assembly, target))


def show(rows: list[Row], target: str) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    least = ("of the fmla bound, least", "of the busiest unit, least")
    columns = ("network", "MACs or elements", "instructions", "per one", "vector", "cost model counts", *least)
    table = Table(*columns, title=f"one inference on {target} under qemu-user")
    for r in rows:
        shares = (
            f"{r.per_mac:.3f}",
            f"{r.vector / r.instructions:.0%}",
            f"{r.counted / r.instructions:.0%}",
            f"{r.bound:.0%}",
            f"{r.busiest:.0%}",
        )
        table.add_row(r.network, f"{r.macs:,}", f"{r.instructions:,}", *shares)
    Console(width=140).print(table)


def main() -> None:
    """Count every model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--sparse", action="store_true", help="layers with zeros, too")
    parser.add_argument("--kinds", action="store_true", help="one layer of each kind, too")
    parser.add_argument("--target", default="cortex-a72")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    rows = [count(path, a.target, a.level) for path in a.models]
    rows += sparse(a.target, a.level) if a.sparse else []
    rows += [counted(n, edgeopt.compile(m, level=a.level, target=a.target), a.level) for n, m in kinds().items() if a.kinds]
    show(rows, a.target)
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
