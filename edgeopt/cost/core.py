"""What a processor core does in a cycle: the few rates that turn an instruction mix and memory traffic into time."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from edgeopt.cache import folder, keep, read
from edgeopt.cost.census import Census
from edgeopt.cost.mix import CLASSES
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array
from edgeopt.target import Target


@dataclass(frozen=True)
class Core:
    """Instructions per cycle of each class (vector instructions at the target's width), ``issue`` of all together.

    ``scalar`` are loads and stores of one element. ``divide`` and ``call`` are cycles each, ``step`` those of calling a step;
    ``chain`` scales the latency of loop-carried chains. ``l2``, ``l3`` and ``memory`` are bytes per cycle from there; data in
    the first cache costs what its loads cost. ``overlap`` is the exponent p with which computing and transfers hide each
    other: (compute^p + transfer^p)^(1/p). ``frequency`` is in Hz.
    """

    # where `edgeopt calibrate` begins on a processor that cores.toml does not describe; chosen by hand
    fp: float = 1.0
    load: float = 1.0
    scalar: float = 1.0
    store: float = 1.0
    permute: float = 1.0
    issue: float = 2.0
    divide: float = 10.0
    call: float = 30.0
    chain: float = 1.0
    step: float = 20.0
    l2: float = 16.0
    l3: float = 8.0
    memory: float = 2.0
    overlap: float = 2.0
    frequency: float = 1e9

    def block_cycles(self, mixes: Array, recurrences: Array) -> Array:
        """Cycles of one run of each block: the busiest unit, the issue width or the longest chain, whichever lasts longest."""
        part = {name: mixes[:, i] for i, name in enumerate(CLASSES)}
        issued = slots(mixes)
        units = [part[name] / getattr(self, name) for name in ("fp", "store", "permute")]
        units.append(part["load"] / self.load + part["scalar"] / self.scalar)
        busy = np.maximum.reduce([*units, issued / self.issue, recurrences * self.chain])
        return np.asarray(busy + part["divide"] * self.divide + part["call"] * self.call)

    def cycles(self, census: Census, traffic: Array) -> Array:
        """Cycles of each step; ``traffic`` [steps, 3] are bytes from the second and third cache and from memory."""
        compute = census.counts @ self.block_cycles(census.mixes, census.recurrences) + self.step
        transfer = traffic @ np.array([1 / self.l2, 1 / self.l3, 1 / self.memory])
        return np.asarray((compute**self.overlap + transfer**self.overlap) ** (1 / self.overlap))


ISSUED = CLASSES.index("divide")  # the classes before it take an issue slot each
INDEXED = 0.5  # of the indexing, that loads and stores do by the way
_ENTRY = "core.json"  # of the cache
RATES = tuple(f.name for f in fields(Core) if f.name != "frequency")


def slots(mixes: Array) -> Array:
    """Issue slots of each of ``mixes`` [n, classes]."""
    return np.asarray(mixes[:, :ISSUED].sum(axis=1) - INDEXED * mixes[:, CLASSES.index("address")])


def instructions(found: Census) -> float:
    """Machine instructions that a whole program executes; what is folded into others takes a slot, all the same."""
    return float((slots(found.totals) - found.totals[:, CLASSES.index("folded")]).sum())


@cache
def table() -> dict[str, dict[str, float]]:
    """The rates that ship with edgeopt, by LLVM's name of the processor."""
    return tomllib.loads(resources.files("edgeopt.cost").joinpath("cores.toml").read_text())


def core(target: Target) -> Core:
    """The core of ``target``: the calibrated one for the host, else the shipped rates of its processor or its family."""
    calibrated = load(target) if target.name == "host" else None
    if calibrated is not None:
        return calibrated
    return core_of_family(target)


def core_of_family(target: Target) -> Core:
    """The shipped rates for ``target``, with its own frequency and memory."""
    known = table()
    family = "x86-64" if target.triple.startswith("x86") else "armv7" if target.pointer_bytes == 4 else "aarch64"
    rates = Core(**known.get(target.cpu, known[family]), frequency=target.frequency)
    return replace(rates, memory=target.bandwidth / target.frequency)


def load(target: Target) -> Core | None:
    """What ``edgeopt calibrate`` found on this machine, or None."""
    try:
        stored = json.loads(read(_ENTRY) or b"{}")
        return Core(**stored["core"]) if stored["cpu"] == target.cpu and set(stored["core"]) == {*RATES, "frequency"} else None
    except (ValueError, TypeError, KeyError):
        return None


def save(found: Core, target: Target) -> Path:
    """Keep calibrated rates for later runs; the file that holds them. Raises EdgeoptError where nothing can be kept."""
    keep(_ENTRY, json.dumps({"cpu": target.cpu, "core": asdict(found)}, indent=1).encode() + b"\n")
    place = folder()
    if place is None or load(target) != found or not (place / _ENTRY).is_file():
        raise EdgeoptError("what was measured cannot be kept; name a folder that can be written in EDGEOPT_CACHE")
    return place / _ENTRY
