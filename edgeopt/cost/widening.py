"""What Arm folds of products of narrow integers: two widened halves and their product are one smull, a sum behind it an smlal.

mul(sext(half(a)), sext(half(b)))   smull, smull2        add(t, mul(...))   smlal, smlal2        add(t, addlp(p))   sadalp
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeopt.cost.instruction import Instruction
from edgeopt.target import Target

WIDENING = ("sext", "zext")


def folds(p: Instruction, known: Mapping[str, Instruction], uses: Mapping[str, int], target: Target) -> bool:
    """True when ``p`` needs no instruction of its own; ``known`` and ``uses`` describe its block."""
    if not target.multiplies_by_lane:
        return False
    if p.opcode in WIDENING:
        return p.is_vector and _read_by(p, known, "mul")
    if p.opcode == "shufflevector":
        return any(_read_by(r, known, "mul") for r in known.values() if r.opcode in WIDENING and p.name in r.operands)
    product = p.opcode == "mul" and any(_is_widened(known.get(name)) for name in p.operands)
    pairwise = p.opcode == "call" and "addlp" in p.callee
    return (product or pairwise) and uses[p.name] == 1 and _read_by(p, known, "add") and not _first_of_two(p, known)


def _is_widened(source: Instruction | None) -> bool:
    return source is not None and source.opcode in WIDENING and source.is_vector


def _read_by(p: Instruction, known: Mapping[str, Instruction], opcode: str) -> bool:
    return any(reader.opcode == opcode and p.name in reader.operands for reader in known.values())


def _first_of_two(p: Instruction, known: Mapping[str, Instruction]) -> bool:
    """Of two products that are added to each other one stays a product by itself."""
    reader = next((r for r in known.values() if r.opcode == "add" and p.name in r.operands), None)
    both = [known.get(name) for name in reader.operands] if reader is not None else []
    return p.opcode == "mul" and all(b is not None and b.opcode == "mul" for b in both) and both[0] is p
