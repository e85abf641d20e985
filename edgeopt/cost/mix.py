"""The class of one LLVM instruction, and how many machine instructions of that class a target needs for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import ceil, log2

from edgeopt.cost.instruction import Instruction
from edgeopt.cost.widening import folds
from edgeopt.target import Target

# fp: arithmetic in the vector unit, dot products included; scalar: loads and stores of one element;
# address: indexing that may fold into a load or store; folded: instructions of the others that are part of another one in the
# code, though a processor may take as long (rates are fitted with them)
CLASSES = ("fp", "load", "scalar", "store", "permute", "integer", "address", "branch", "divide", "call", "multiply", "folded")
FP = {"fadd", "fsub", "fmul", "fneg", "fcmp", "sitofp", "uitofp", "fptosi", "fptoui", "fpext", "fptrunc"}
INTEGER = {"add", "sub", "mul", "and", "or", "xor", "shl", "lshr", "ashr", "icmp", "select", "zext", "sext", "trunc"}
DIVISIONS = {"udiv", "sdiv", "urem", "srem"}
FREE = ("llvm.lifetime", "llvm.assume", "llvm.experimental.noalias", "llvm.dbg", "llvm.invariant")
DOTS = ("vpdpbusd", "dot", "mull", "madd", "padal", "addlp")
FLOATING = ("fma", "fmul", "min", "max", "abs", "rint", "round", "floor", "ceil", "trunc")
# cycles, typical of current cores; chosen by hand, `edgeopt calibrate` fits one factor to all of them (Core.chain)
HALF = 0.5  # of the indexing is counted anyway
LATENCY = {"fp": 4.0, "load": 5.0, "store": 0.0, "permute": 3.0, "integer": 1.0, "address": 0.5, "divide": 13.0, "call": 20.0}


Uses = Mapping[str, int]
Known = Mapping[str, Instruction]
Counts = Iterator[tuple[str, float]]


def classify(p: Instruction, known: Known, uses: Uses, target: Target) -> Counts:
    """Class and number of machine instructions for ``p``; ``known`` and ``uses`` describe its block."""
    amount = max(1, ceil(p.kind[2] / (8 * target.vector_bytes))) if p.is_vector else 1
    if p.opcode == "mul" and p.is_vector:
        yield "multiply", p.kind[0] / target.lanes
    if p.is_barrier or folds(p, known, uses, target):
        return
    if p.opcode in ("load", "store"):
        yield p.opcode if p.is_vector or _broadcast(p, known) else "scalar", amount
    elif p.opcode in FP:
        yield "fp", 0 if p.opcode == "fmul" and _fuses(p, known, uses, target) else amount
        yield "multiply", amount if p.opcode == "fmul" else 0
    elif p.opcode in ("fdiv", "frem") or p.opcode in DIVISIONS:
        yield from _division(p, amount)
    elif p.opcode in INTEGER:
        yield from _integer(p, known, uses, amount, target)
    elif p.opcode == "getelementptr":
        yield "address", 1 if len([o for o in p.operands if o]) > 1 else 0
    elif p.opcode in ("shufflevector", "insertelement", "extractelement"):
        yield "permute", _permutes(p, known, amount, target)
    elif p.opcode in ("br", "switch"):
        yield "branch", 1
    elif p.opcode == "call":
        yield from _call(p, amount, target)


def _broadcast(p: Instruction, known: Known) -> bool:
    """A load of one element for all lanes costs as much as a load of a vector."""
    return p.opcode == "load" and any(k.opcode == "insertelement" and k.operands[-1] == p.name for k in known.values())


def _fuses(p: Instruction, known: Known, uses: Uses, target: Target) -> bool:
    reader = next((k for k in known.values() if k.opcode in ("fadd", "fsub") and p.name in k.operands), None)
    return target.fma and uses[p.name] == 1 and reader is not None and "contract" in p.text


def _division(p: Instruction, amount: int) -> Counts:
    constant = len(p.operands) == 1 and not p.opcode.startswith("f")
    yield ("integer", 4) if constant else ("divide", amount if p.opcode.startswith("f") else p.kind[0])


def _integer(p: Instruction, known: Known, uses: Uses, amount: int, target: Target) -> Counts:
    if p.opcode == "select" and ("float" in p.text or "double" in p.text):
        yield "fp", 0  # with its compare it is a maximum or a minimum
    elif not p.is_vector and p.opcode in ("zext", "sext", "trunc"):
        source = known.get(p.operands[0]) if p.operands else None
        yield "address", 1
        yield "folded", HALF if source is not None and source.opcode == "load" and p.opcode != "trunc" else 0  # loads extend
    elif p.is_vector:
        yield "fp", amount
    else:
        yield "integer", 2 if p.kind[1] == "i64" and target.pointer_bytes == 4 else 1
        yield "folded", HALF if p.opcode == "shl" and _indexes(p, known, uses) else 0


def _indexes(p: Instruction, known: Known, uses: Uses) -> bool:
    """Whether the only reader takes ``p`` as an index, which is scaled on the way or counted in steps of its own."""
    return uses[p.name] == 1 and any(k.opcode == "getelementptr" and p.name in k.operands for k in known.values())


def _permutes(p: Instruction, known: Known, amount: int, target: Target) -> float:
    if p.opcode == "insertelement":
        return 0 if re.search(r"> (poison|undef),", p.text) else 1
    if p.opcode == "extractelement":
        return 0 if p.text.endswith(" 0") else 1
    if (
        target.multiplies_by_lane
        and p.kind[1] not in ("i8", "i16")
        and re.search(r"zeroinitializer|splat|> <(i32 \d+)(, \1)*>$", p.text)
    ):
        return 0
    source = known.get(p.operands[0]) if p.operands else None
    if "zeroinitializer" in p.text and source is not None and source.opcode == "insertelement":
        scalar = known.get(source.operands[-1]) if source.operands else None
        return 0 if scalar is not None and scalar.opcode == "load" else 1
    return amount


def _call(p: Instruction, amount: int, target: Target) -> Counts:
    name = p.callee
    if not name.startswith("llvm."):
        yield ("integer", 2) if name.startswith(("call_", "kernel_", "form_")) else ("call", 1)
    elif name.startswith("llvm.masked.load"):
        yield "load", amount
    elif name.startswith("llvm.masked.store"):
        yield "store", 1
    elif "gather" in name or "scatter" in name:
        yield "scalar", p.kind[0]
    elif "sqrt" in name:
        yield "divide", amount
    elif "vector.reduce" in name:
        found = re.search(r"\.v(\d+)", name)
        steps = ceil(log2(int(found[1]))) if found else 1
        yield "permute", steps
        yield "fp", steps
    elif "mem" in name:
        yield from _block_move(p, name, target)
    elif not name.startswith(FREE):
        dot = any(word in name for word in DOTS)
        floating = dot or any(word in name for word in FLOATING)
        yield "fp" if floating or p.is_vector else "integer", amount
        yield "multiply", 4 * amount if dot else amount if "fma" in name or "fmul" in name else 0


def _block_move(p: Instruction, name: str, target: Target) -> Counts:
    length = re.search(r"i(?:32|64) (\d+), i1", p.text)
    vectors = ceil(int(length[1]) / target.vector_bytes) if length else 0
    yield "call", 0 if 0 < vectors <= 8 else 1
    yield "store", vectors
    yield "load", vectors if "set" not in name else 0


def latency(p: Instruction) -> float:
    """Cycles until the result of ``p`` can be used, on a typical core."""
    if p.is_barrier:
        return 0.0
    if p.opcode in FP or p.opcode == "call":
        return LATENCY["fp"]
    if p.opcode == "select" and "float" in p.text:
        return 0.0
    if p.opcode in ("load", "fdiv"):
        return LATENCY["load" if p.opcode == "load" else "divide"]
    if p.opcode in ("shufflevector", "insertelement", "extractelement"):
        return LATENCY["permute"]
    return LATENCY["address"] if p.opcode == "getelementptr" else LATENCY["integer"]
