"""What a step of training frees is kept for the next one: pages that the system gives anew cost a fifth of a step."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of glibc's mallopt, and what they are until it is called
USUAL = {TRIM_THRESHOLD: 128 << 10, MMAP_MAX: 65536}
KEEPING = {TRIM_THRESHOLD: (1 << 31) - 1, MMAP_MAX: 0}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Until the end nothing that is freed goes back to the system, where the C library can be told so; then all of it does."""
    library = ctypes.CDLL(None)
    able = all(hasattr(library, name) for name in ("mallopt", "malloc_trim"))
    for parameter, value in KEEPING.items() if able else ():
        library.mallopt(parameter, value)
    try:
        yield
    finally:
        for parameter, value in USUAL.items() if able else ():
            library.mallopt(parameter, value)
        if able:
            library.malloc_trim(0)
