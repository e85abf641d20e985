"""A target is data: the facts code generation and kernel choice ask for. No kernel or pass tests a target's name."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path

import llvmlite.binding as llvm

from edgeopt.errors import EdgeoptError, UnknownName, meant
from edgeopt.features import architecture, lacking, normalised
from edgeopt.files import read_regular
from edgeopt.target_check import check

TOML_LIMIT = 1 << 20  # bytes of a file that describes a processor


@dataclass(frozen=True)
class Target:
    """Facts of a processor.

    ``vector_bytes`` and ``vector_registers`` describe the widest register file; ``dot4`` names the 8-bit dot product
    (``vpdpbusd``, ``sdot`` or empty) and ``lookup`` the byte table look-up (``vpermb``, ``pshufb``, ``tbl``, ``vtbl``);
    caches are bytes per core (``l3`` shared), ``bandwidth`` is bytes/s from memory to one core, ``frequency`` Hz. Of
    microcontrollers ``dsp`` tells of products of 16-bit pairs, ``mve`` of Helium, ``fpu`` of single precision in hardware;
    ``flash`` and ``ram`` are bytes, 0 where it is no board's business; ``small``: loops of its code stay rolled up, and no memory
    is spent to multiply fewer integers.
    """

    name: str
    triple: str
    cpu: str
    features: str = ""
    vector_bytes: int = 16
    vector_registers: int = 16
    fma: bool = True
    dot4: str = ""
    lookup: str = ""
    l1: int = 32 << 10
    l2: int = 512 << 10
    l3: int = 0
    cores: int = 1
    frequency: float = 1.5e9
    bandwidth: float = 4e9
    pointer_bytes: int = 8
    dsp: bool = False
    mve: bool = False
    fpu: bool = True
    flash: int = 0
    ram: int = 0
    small: bool = False
    description: str = ""

    @property
    def multiplies_words(self) -> bool:
        """Products of bytes are those of words (x86 without VNNI)."""
        return self.triple.startswith("x86_64") and not self.dot4

    @property
    def lanes(self) -> int:
        """float32 elements in a vector."""
        return self.vector_bytes // 4

    @property
    def float_registers(self) -> int:
        """Registers for vectors of float32: scalars of VFP have a file of their own, beside the registers for integers."""
        return 32 if self.lanes == 1 and self.fpu and self.architecture.startswith("thumb") else self.vector_registers

    @property
    def multiplies_by_lane(self) -> bool:
        """True when a multiply-add can take one lane of a register for a factor (Arm), so that broadcasts need no loads."""
        return self.triple.startswith(("aarch64", "arm"))

    @property
    def signed_bytes(self) -> bool:
        """True when the 8-bit products take signed activations (Arm); x86 multiplies unsigned by signed bytes."""
        return self.dot4 == "sdot" or self.lookup in ("tbl", "vtbl") or self.channels_last

    @property
    def channels_last(self) -> bool:
        """True when maps of bytes lie with their channels last and without a border (microcontrollers)."""
        return self.mve or self.vector_bytes == 4

    @property
    def bare(self) -> bool:
        """True when no operating system loads the code: it is linked to where it lies."""
        return "-none" in self.triple

    @property
    def rounds_scalars(self) -> bool:
        """True when one instruction rounds a float to the nearest integer, half to even, in a scalar register (VFP)."""
        return self.fpu and self.architecture.startswith("thumb")

    @property
    def rounds_vectors(self) -> bool:
        """True when one instruction rounds a vector of floats to whole numbers; LLVM calls functions where NEON has 32 bits."""
        return not self.architecture.startswith("armv")

    @property
    def widens_half(self) -> str:
        """How vectors of half precision become float32: by LLVM's ``fpext``, by NEON's ``vcvt``, or empty (by integers)."""
        if self.triple.startswith("aarch64") or (self.triple.startswith("x86_64") and self.vector_bytes >= 32):
            return "fpext"
        converts = self.triple.startswith("arm") and ("+vfp4" in self.features or "+fp16" in self.features)
        return "vcvt" if converts else ""

    @property
    def architecture(self) -> str:
        """The first word of the triple, such as ``x86_64``."""
        return architecture(self.triple)

    @property
    def lacking(self) -> tuple[str, ...]:
        """What this machine lacks to run the target's code: its architecture, or instruction sets."""
        return lacking(self.triple, self.cpu, self.features)

    @property
    def runs_here(self) -> bool:
        """True when this process can execute the target's code."""
        return not self.lacking


_KINDS: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def target(name: str) -> Target:
    """The target called ``name``, or described by the TOML file ``name``. Raises UnknownName for unknown names."""
    if name == "host":
        return host()
    if name.endswith(".toml"):
        return _from_file(Path(name))
    known = {**builtin(), **boards()}
    if name not in known:
        rest = f"known are host, {', '.join(known)}, or a TOML file that describes one"
        raise UnknownName(f"unknown target '{name}'; {meant(name, known)}{rest}")
    return known[name]


@cache
def boards() -> dict[str, Target]:
    """The boards that ship with edgeopt, by name: a target with its flash and RAM."""
    table = tomllib.loads(resources.files("edgeopt").joinpath("boards.toml").read_text())
    return {name: replace(builtin()[facts.pop("target")], name=name, **facts) for name, facts in table.items()}


@cache
def builtin() -> dict[str, Target]:
    """The targets that ship with edgeopt, by name."""
    table = tomllib.loads(resources.files("edgeopt").joinpath("targets.toml").read_text())
    return {name: _from_table(name, facts) for name, facts in table.items()}


def _from_file(path: Path) -> Target:
    try:
        made = _from_table(path.stem, tomllib.loads(read_regular(path, TOML_LIMIT).decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise EdgeoptError(f"cannot read the target file '{path}': {error}") from error
    check(made)
    return made


def _from_table(name: str, facts: Mapping[str, object]) -> Target:
    kinds = {f.name: _KINDS[str(f.type)] for f in fields(Target) if f.name != "name"}
    for key, value in facts.items():
        if type(value) not in kinds.get(key, ()):
            raise EdgeoptError(f"target '{name}': unknown or wrongly typed fact '{key} = {value}'")
    for key in ("triple", "cpu"):
        if key not in facts:
            raise EdgeoptError(f"target '{name}': the fact '{key}' is missing")
    return Target(name=name, **{**facts, "triple": normalised(str(facts["triple"]))})  # type: ignore[arg-type]


@cache
def host() -> Target:
    """The processor this process runs on, from LLVM's feature list and the kernel's cache description."""
    features = llvm.get_host_cpu_features()
    wide, avx2 = features.get("avx512f", False), features.get("avx2", False)
    neon = llvm.get_process_triple().startswith("aarch64")
    return Target(
        name="host",
        triple=llvm.get_process_triple(),
        cpu=llvm.get_host_cpu_name(),
        features=features.flatten(),
        vector_bytes=64 if wide else 32 if avx2 else 16,
        vector_registers=32 if wide or neon else 16,
        fma=features.get("fma", False) or neon,
        dot4="vpdpbusd" if features.get("avx512vnni") else "sdot" if features.get("dotprod") else "",
        lookup="vpermb" if features.get("avx512vbmi") else "pshufb" if avx2 else "tbl" if neon else "",
        l1=_cache_bytes(0, 32 << 10),
        l2=_cache_bytes(2, 512 << 10),
        l3=_cache_bytes(3, 0),
        cores=_cores(),
        frequency=3.0e9,
        bandwidth=30e9,
        description="this machine",
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache_bytes(index: int, default: int) -> int:
    path = Path(f"/sys/devices/system/cpu/cpu0/cache/index{index}/size")
    try:
        return int(path.read_text().strip().rstrip("K")) << 10
    except (OSError, ValueError):
        return default
