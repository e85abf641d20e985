"""Whether a target described by a user can be compiled for: sound facts that its processor keeps, and names that LLVM knows.

LLVM ignores what it does not know with a line on stderr, and ends the process where processor and instructions contradict each
other. It is therefore asked in a process of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from edgeopt.errors import EdgeoptError
from edgeopt.features import demanded

if TYPE_CHECKING:
    from edgeopt.target import Target

_CHOICES: Mapping[str, tuple[object, ...]] = {
    "vector_bytes": (4, 16, 32, 64),
    "pointer_bytes": (4, 8),
    "dot4": ("", "vpdpbusd", "sdot"),
    "lookup": ("", "vpermb", "pshufb", "tbl", "vtbl"),
}
MOST_CORES = 1024
_POSITIVE = ("vector_registers", "l1", "l2", "cores", "frequency", "bandwidth")
_PROBE = """
import sys
import llvmlite.binding as llvm
triple, cpu, features = sys.argv[1:]
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple(triple).create_target_machine(
    cpu=cpu, features=features, opt=3, reloc="pic", codemodel="default")
head = f'target datalayout = "{machine.target_data}"\\ntarget triple = "{machine.triple}"\\n'
module = llvm.parse_assembly(head + "define void @f(ptr %p) {\\n  store float 0.0, ptr %p\\n  ret void\\n}")
data = bytes(machine.emit_object(module))
pointer = llvm.parse_assembly(head + "@p = global ptr null").get_global_variable("p").global_value_type
print(data[:4] == b"\\x7fELF", data[5:6] == b"\\x01", machine.target_data.get_abi_size(pointer))
"""


def check(target: Target) -> None:
    """Raises EdgeoptError for a target whose facts are unsound or contradict its processor, or which LLVM does not know."""
    for ask in (_facts, _processor, _instructions):  # in this order: each relies on the ones before it
        for problem in ask(target):
            raise EdgeoptError(f"target '{target.name}': {problem}")


def _facts(target: Target) -> Iterator[str]:
    for fact, known in _CHOICES.items():
        if getattr(target, fact) not in known:
            yield f"{fact} is {getattr(target, fact)!r}, known are {', '.join(repr(k) for k in known)}"
    for fact in _POSITIVE:
        if not (isfinite(getattr(target, fact)) and getattr(target, fact) > 0):
            yield f"{fact} is {getattr(target, fact)}, it must be positive"
    if target.l3 < 0:
        yield f"l3 is {target.l3}, it must not be negative"
    if target.cores > MOST_CORES:
        yield f"cores is {target.cores}, at most {MOST_CORES} are supported"
    if not re.fullmatch("x86_64|aarch64|arm|armv[0-9].*|thumbv[678].*|riscv32", target.architecture):
        names = "x86_64, aarch64, arm, thumbv6m to thumbv8.1m.main and riscv32"
        yield f"there is no code generation for '{target.triple}'; known architectures are {names}"
    if target.cpu.startswith("cortex-m") and not target.architecture.startswith("thumb"):
        yield f"'{target.cpu}' executes Thumb code only, '{target.triple}' is another architecture; thumbv7em-none-eabihf is one"
    if target.triple.endswith("eabihf") and not target.fpu:
        yield f"'{target.triple}' passes floats in registers of an FPU, which fpu = false denies; use ...-eabi"
    if min(target.flash, target.ram) < 0:
        yield f"flash is {target.flash} and ram {target.ram}; 0 stands for unknown"


def _processor(target: Target) -> Iterator[str]:
    for fact in ("triple", "cpu", "features"):
        if not re.fullmatch(r"[A-Za-z0-9_.+,-]*", getattr(target, fact)):
            yield f"{fact} is {getattr(target, fact)!r}, which is no name of LLVM's"
    if not target.cpu:
        yield "cpu is empty; 'generic' stands for any processor of its architecture"
    words = [word for word in target.features.split(",") if word]
    wrong = next((word for word in words if word[0] not in "+-"), None)
    if wrong is not None:
        yield f"the feature '{wrong}' begins with neither + nor -"
    yield from _asked(target.triple, target.cpu, target.features, target.pointer_bytes)


@cache
def _asked(triple: str, cpu: str, features: str, pointer_bytes: int) -> tuple[str, ...]:
    command = [sys.executable, "-c", _PROBE, triple, cpu, features]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    unknown = re.findall(r"'([^']*)' is not a recognized (processor|feature)", found.stderr)
    if unknown:
        name, kind = unknown[0]
        return (f"LLVM knows no {kind} '{name.lstrip('+-')}' for {triple}",)
    if found.returncode or found.stderr.strip():
        return (f"LLVM has no code generator for triple '{triple}', cpu '{cpu}', features '{features}': {_reason(found.stderr)}",)
    elf, little, size = found.stdout.split()
    if elf != "True" or little != "True":
        return (f"the triple '{triple}' does not make little-endian ELF objects; '...-linux-gnu' and '...-none-elf' do",)
    return () if int(size) == pointer_bytes else (f"pointer_bytes is {pointer_bytes}, pointers of {triple} have {size}",)


def _reason(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()] or ["it ended without a word"]
    telling = [line for line in lines if "Error" in line or "ERROR" in line]
    return telling[-1].split(":", 1)[-1].strip() if telling else lines[0]


def _instructions(target: Target) -> Iterator[str]:
    """Facts that make kernels use instructions which the processor lacks."""
    needed = list(_needed(target))
    names = tuple(sorted({feature for _, feature in needed}))
    present = demanded(target.triple, target.cpu, target.features, names)
    for fact, feature in needed:
        if feature not in present:
            yield f"{fact} = {getattr(target, fact)!r} needs '{feature}', which cpu '{target.cpu}' and its features lack"


def _needed(target: Target) -> Iterator[tuple[str, str]]:
    x86 = target.architecture == "x86_64"
    neon: tuple[str, ...] = ("mve", "mve.fp") if target.mve else ("neon",)
    wide: Mapping[Any, tuple[str, ...]] = {32: ("avx2",), 64: ("avx512f", "avx512bw")} if x86 else {16: neon}
    dots = {"vpdpbusd": ("avx512vnni",) if target.vector_bytes == 64 else ("avx512vnni", "avx512vl"), "sdot": ("dotprod",)}
    looks = {"vpermb": ("avx512vbmi",), "pshufb": ("ssse3",), "tbl": ("neon",), "vtbl": ("neon",)}
    words: Mapping[Any, tuple[str, ...]] = {True: ("dsp",)}
    for fact, table in (("vector_bytes", wide), ("dot4", dots), ("lookup", looks), ("dsp", words)):
        for feature in table.get(getattr(target, fact), ()):
            yield fact, feature
