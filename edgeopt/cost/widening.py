"""What Arm folds of narrow integers: two widened halves and their product are one smull, a sum behind it an smlal.

mul(sext(half(a)), sext(half(b)))   smull, smull2        add(t, mul(...))         smlal, smlal2
add(t, addlp(p))                    sadalp               add(t, sext(half(a)))    saddw, saddw2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgeopt.cost.instruction import Instruction
from edgeopt.target import Target

WIDENING = ("sext", "zext")


def folds(p: Instruction, known: Mapping[str, Instruction], uses: Mapping[str, int], target: Target) -> bool:
    """True when ``p`` needs no instruction of its own; ``known`` and ``uses`` describe its block."""
    if not target.multiplies_by_lane:
        return False
    if p.opcode in WIDENING:
        return _widens(p, known, uses)
    if p.opcode == "shufflevector":
        return any(_widens(r, known, uses) for r in _readers(p, known) if r.opcode in WIDENING)
    product = p.opcode == "mul" and any(_is_widened(known.get(name)) for name in p.operands)
    pairwise = p.opcode == "call" and "addlp" in p.callee
    return (product or pairwise) and uses[p.name] == 1 and _read_by(p, known, "add") and not _first_of_two(p, known)


def _widens(p: Instruction, known: Mapping[str, Instruction], uses: Mapping[str, int]) -> bool:
    """Whether products, or one sum, widen what ``p`` widens: to twice its bits, into one register."""
    if not p.is_vector or _read_by(p, known, "mul"):
        return p.is_vector
    sums = [r for r in _readers(p, known) if r.opcode == "add"]
    return len(sums) == uses[p.name] == 1 and sums[0].kind[2] == 128 and p.kind[2] == 64


def _is_widened(source: Instruction | None) -> bool:
    return source is not None and source.opcode in WIDENING and source.is_vector


def _readers(p: Instruction, known: Mapping[str, Instruction]) -> Iterator[Instruction]:
    return (reader for reader in known.values() if p.name in reader.operands)


def _read_by(p: Instruction, known: Mapping[str, Instruction], opcode: str) -> bool:
    return any(reader.opcode == opcode for reader in _readers(p, known))


def _first_of_two(p: Instruction, known: Mapping[str, Instruction]) -> bool:
    """Of two products that are added to each other one stays a product by itself."""
    reader = next((r for r in known.values() if r.opcode == "add" and p.name in r.operands), None)
    both = [known.get(name) for name in reader.operands] if reader is not None else []
    return p.opcode == "mul" and all(b is not None and b.opcode == "mul" for b in both) and both[0] is p
