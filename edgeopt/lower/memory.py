"""Memory for native code: aligned, and in huge pages where it is large.

Without huge pages weights stream from memory at half the speed or less.
"""

from __future__ import annotations

import mmap

import numpy as np

ALIGNMENT = 64
HUGE_PAGE = 2 << 20


def padded(size: int) -> int:
    """``size`` bytes, filled up to whole ALIGNMENT."""
    return size + -size % ALIGNMENT


def aligned(size: int) -> memoryview:
    """Zeroed bytes whose address is a multiple of ALIGNMENT, of a huge page for large blocks."""
    if size >= HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
        return _from_multiple(np.frombuffer(memory, np.uint8), size, HUGE_PAGE)
    return _from_multiple(np.zeros(size + ALIGNMENT, np.uint8), size, ALIGNMENT)


def address(block: bytes | memoryview) -> int:
    """The address of the first byte; 0 for an empty block."""
    return int(np.frombuffer(block, np.uint8).ctypes.data) if len(block) else 0


def aligned_bytes(size: int) -> tuple[memoryview, int]:
    """A block as ``aligned`` and its address. Keep the block alive as long as the address is used."""
    block = aligned(max(size, 1))
    return block, address(block)


def _from_multiple(memory: np.ndarray[tuple[int], np.dtype[np.uint8]], size: int, multiple: int) -> memoryview:
    start = -memory.ctypes.data % multiple
    return memory[start : start + size].data
