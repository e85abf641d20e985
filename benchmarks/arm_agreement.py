"""Outputs under emulation against the host's: ``python -m benchmarks.arm_agreement MODEL... [--targets arm armv7]``.

Every model is compiled for the host and for each target and run on the same random inputs; the deviation is the largest
difference of an output relative to the range of that output on the host. A model with nodes that have no kernel is declined.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import edgeopt
from edgeopt.codegen.elf import Elf, archived
from edgeopt.errors import EdgeoptError
from edgeopt.examine.samples import random_inputs
from edgeopt.ir import Array, TensorType
from edgeopt.runtime.emulate import Emulator
from edgeopt.runtime.model import CompiledModel

LIMIT = 1e-4


@dataclass
class Agreement:
    """One network on one target; ``code`` counts bytes of machine code and its constants, ``reason`` says why it was not run."""

    network: str
    target: str
    deviation: float = float("nan")
    code: int = 0
    weights: int = 0
    arena: int = 0
    reason: str = ""

    @property
    def verdict(self) -> str:
        """What the table says."""
        return "declined" if self.reason else "agrees" if self.deviation <= LIMIT else "DIFFERS"


def inputs_of(compiled: CompiledModel) -> dict[str, Array]:
    """Random arrays for the inputs of a compiled model."""
    types = {i["name"]: TensorType(i["dtype"], tuple(i["shape"])) for i in compiled.manifest["inputs"]}
    (inputs,) = random_inputs(types, 1, 0, {})
    return inputs


def deviation(expected: Mapping[str, Array], actual: Mapping[str, Array]) -> float:
    """The largest difference of an output relative to its range (its size when it has none); infinite where one is not finite."""
    worst = 0.0
    for name, wanted in expected.items():
        want, got = wanted.astype(np.float64), actual[name].astype(np.float64)
        if not np.array_equal(np.isfinite(want), np.isfinite(got)):
            return float("inf")
        finite = np.isfinite(want)
        if finite.any():
            span = float(np.ptp(want[finite])) or float(np.abs(want[finite]).max()) or 1.0
            worst = max(worst, float(np.abs(want - got)[finite].max()) / span)
    return worst


def agreement(path: Path, target: str, level: int, host: CompiledModel) -> Agreement:
    """Compile ``path`` for ``target``, run it under emulation and compare with ``host``."""
    result = Agreement(path.stem, target)
    try:
        compiled = edgeopt.compile(path, level=level, target=target)
        inputs = inputs_of(host)
        with Emulator(compiled) as emulator:
            result.deviation = deviation(host.run(inputs), emulator.run(inputs))
    except EdgeoptError as error:
        result.reason = str(error)
        return result
    result.code = Elf(archived(compiled.files["libmodel.a"])).loaded_bytes
    result.weights, result.arena = compiled.manifest["weights_bytes"], compiled.manifest["arena_bytes"]
    return result


def show(results: list[Agreement]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("network", "target", "code kB", "weights kB", "arena kB", "deviation", "verdict", title="Arm against the host")
    for r in results:
        sizes = [f"{size / 1000:,.1f}" for size in (r.code, r.weights, r.arena)]
        table.add_row(r.network, r.target, *sizes, f"{r.deviation:.1e}", r.verdict)
    console = Console(width=150)
    console.print(table)
    for r in results:
        if r.reason:
            console.print(f"{r.network}, {r.target}: {r.reason}", markup=False, highlight=False)


def main() -> None:
    """Check every model on every target; exit code 1 when one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--targets", nargs="+", default=["arm", "cortex-a76", "armv7"])
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    results = []
    for path in a.models:
        try:
            host = edgeopt.compile(path, level=a.level)
        except EdgeoptError as error:
            results.append(Agreement(path.stem, "host", reason=str(error)))
            continue
        for target in a.targets:
            results.append(agreement(path, target, a.level, host))
            print(f"{path.stem} {target}: {results[-1].verdict} {results[-1].deviation:.1e}", flush=True)
    show(results)
    if a.json:
        a.json.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    raise SystemExit(any(r.verdict == "DIFFERS" for r in results))


if __name__ == "__main__":
    main()
