"""Loads and stores of neighbours, of which 64-bit Arm makes one instruction of two: ldp and stp. They still take a slot each.

What a fence lies between stays apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from edgeopt.cost.instruction import Instruction
from edgeopt.target import Target

_OFFSET = re.compile(r"getelementptr i8, ptr (%\S+), i64 (-?\d+)$")
_PLACE = re.compile(r"ptr (%[^\s,]+)")


def pairs(block: Sequence[Instruction], known: Mapping[str, Instruction], target: Target) -> int:
    """How many pairs there are among the loads and among the stores of ``block``, each instruction in one pair at most."""
    if not target.multiplies_by_lane or target.pointer_bytes != 8:
        return 0
    parts = _between_fences(block)
    return sum(_neighbours([p for p in part if p.opcode == opcode], known) for part in parts for opcode in ("load", "store"))


def _between_fences(block: Sequence[Instruction]) -> list[list[Instruction]]:
    parts: list[list[Instruction]] = [[]]
    for p in block:
        if p.opcode == "fence":
            parts.append([])
        parts[-1].append(p)
    return parts


def _neighbours(moves: Sequence[Instruction], known: Mapping[str, Instruction]) -> int:
    places: dict[str, list[int]] = {}
    for p in (p for p in moves if p.kind[2] == 128):
        base, offset = _place(p, known)
        places.setdefault(base, []).append(offset)
    count = 0
    for offsets in places.values():
        taken = False
        for low, high in pairwise(sorted(offsets)):
            taken = not taken and high - low == 16
            count += taken
    return count


def _place(p: Instruction, known: Mapping[str, Instruction]) -> tuple[str, int]:
    """What the address is counted from, and the bytes from there."""
    found = _PLACE.search(p.text)
    name = found[1] if found else ""
    offset = _OFFSET.match(known[name].text.split(", !")[0]) if name in known else None
    return (offset[1], int(offset[2])) if offset else (name, 0)
