"""The stack that a library takes, from the prologues of its functions: what they push, and what they take off the pointer.

The entry point calls the walk over steps, that a form, that a kernel. The deepest kernel counts, with all that stands above it;
what functions of libm take is not seen here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from edgeopt.codegen.elf import Elf
from edgeopt.target import Target

PROLOGUE = 12  # instructions that are looked at
_CHAIN = (r"_run$", r"_steps$", r"_step$", r"^form_", r"^(call|general)_")


def stack_bytes(elf: Elf, target: Target) -> int:
    """Bytes of stack of one inference; 0 for processors whose prologues are not known here."""
    if not target.architecture.startswith("thumb"):
        return 0
    frames = frame_bytes(elf)
    return sum(max((size for name, size in frames.items() if re.search(kind, name)), default=0) for kind in _CHAIN)


def frame_bytes(elf: Elf) -> Mapping[str, int]:
    """The frame of each function, in Thumb code."""
    code = elf.sections().get(".text", b"")
    places = [(s.name, s.offset & ~1) for s in elf.symbols() if s.is_function and s.section == ".text"]
    return {name: _frame(code, at) for name, at in places}


def _frame(code: bytes, at: int) -> int:
    total = 0
    for _ in range(PROLOGUE):
        if at + 4 > len(code):
            break
        first, second = struct.unpack_from("<HH", code, at)
        wide = first >> 11 in (0b11101, 0b11110, 0b11111)
        total += _taken(first, second)
        at += 4 if wide else 2
    return total


def _taken(first: int, second: int) -> int:
    """Bytes that one instruction takes off the stack pointer."""
    if first & 0xFE00 == 0xB400:  # push
        return 4 * (first & 0x1FF).bit_count()
    if first == 0xE92D:  # push.w
        return 4 * second.bit_count()
    if first & 0xFFBF == 0xED2D and second & 0xE00 == 0xA00:  # vpush
        return 4 * (second & 0xFF)
    if first & 0xFF80 == 0xB080:  # sub sp, #n
        return 4 * (first & 0x7F)
    if first & 0xFBFF in (0xF1AD, 0xF2AD) and second & 0x8F00 == 0x0D00:  # sub.w sp, sp, #n
        return _immediate(first, second)
    return 0


def _immediate(first: int, second: int) -> int:
    """The constant of a wide subtraction: plain, or eight bits turned."""
    bits = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if first & 0x200:
        return bits
    if bits >> 10 == 0:
        return bits & 0xFF
    value, turned = 0x80 | bits & 0x7F, bits >> 7
    return (value >> turned | value << (32 - turned)) & 0xFFFFFFFF
