"""The stack that a library takes, from the prologues of its functions: what they push, and what they take off the pointer.

The entry point calls the walk over steps, that a form, that a kernel. The deepest kernel counts, with all that stands above it;
what functions of libm take is seen where they are linked (``edgeopt.codegen.linked``).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping

from edgeopt.codegen.elf import Elf
from edgeopt.target import Target

PROLOGUE = 12  # instructions that are looked at
Taken = Callable[[int, int], tuple[int, int]]
_CHAIN = (r"_run$", r"_stream_(begin|rows|end)$", r"_settle$", r"_steps$", r"_step$", r"^form_", r"^(call|general)_")


def stack_bytes(elf: Elf, target: Target) -> int:
    """Bytes of stack of one inference; 0 for processors whose prologues are not known here."""
    frames = frame_bytes(elf, target)
    return sum(max((size for name, size in frames.items() if re.search(kind, name)), default=0) for kind in _CHAIN)


def frame_bytes(elf: Elf, target: Target) -> Mapping[str, int]:
    """The frame of each function: what its first instructions take off the stack pointer. None of unknown processors."""
    taken = next((found for start, found in _TAKEN.items() if target.architecture.startswith(start)), None)
    if taken is None:
        return {}
    code = elf.sections().get(".text", b"")
    places = [(s.name, s.offset & ~1) for s in elf.symbols() if s.is_function and s.section == ".text"]
    return {name: _frame(code, at, taken) for name, at in places}


def _frame(code: bytes, at: int, taken: Taken) -> int:
    total = 0
    for _ in range(PROLOGUE):
        if at + 4 > len(code):
            break
        size, step = taken(*struct.unpack_from("<HH", code, at))
        total, at = total + size, at + step
    return total


def _riscv(first: int, second: int) -> tuple[int, int]:
    """What one instruction of RISC-V takes off the stack pointer, and its bytes."""
    if first & 3 == 3:
        number = second >> 4  # the upper twelve bits
        lowers = first == 0x0113 and second & 0xF == 1 and number >> 11
        return (4096 - number if lowers else 0), 4
    if first & 0xEF83 == 0x6101:  # c.addi16sp
        bits = sum((first >> at & 1) << place for at, place in ((12, 9), (4, 8), (3, 7), (5, 6), (2, 5), (6, 4)))
        return (1024 - bits if bits >> 9 else 0), 2
    if first & 0xEF83 == 0x0101:  # c.addi
        bits = (first >> 12 & 1) << 5 | first >> 2 & 0x1F
        return (64 - bits if bits >> 5 else 0), 2
    return 0, 2


def _thumb(first: int, second: int) -> tuple[int, int]:
    """What one instruction of Thumb takes off the stack pointer, and its bytes."""
    return _thumb_bytes(first, second), 4 if first >> 11 in (0b11101, 0b11110, 0b11111) else 2


def _thumb_bytes(first: int, second: int) -> int:
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


_TAKEN: Mapping[str, Taken] = {"thumb": _thumb, "riscv32": _riscv}
