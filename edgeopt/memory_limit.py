"""How much memory one model may take, checked in bytes before anything is allocated.

By default that is what the machine has, but a model that makes much of little is stopped sooner: a file of a kilobyte that asks
for gigabytes is damaged or malicious, and says so sooner than a machine that swaps.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
from functools import lru_cache
from pathlib import Path

from edgeopt.errors import EdgeoptError

ANY_MODEL = 3 << 29  # bytes that every model may take
GROWTH = 64  # bytes that it may take for each byte of its constants and inputs
CONSTANT_COPIES = 6  # a constant lies in the file, the graph, the block of weights, the artifact, and in copies on the way
WORTH_GIVING = 4 << 20  # bytes
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_CGROUPS = Path("/sys/fs/cgroup")


def default_limit(held: int) -> int:
    """Bytes a model may take whose constants and inputs are ``held`` bytes."""
    return min(machine_memory(), max(ANY_MODEL, GROWTH * held))


def machine_memory() -> int:
    """Bytes this process may still use: the machine's memory, or less where a control group or ``ulimit -v`` says so."""
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_cgroup_bounds(_CGROUPS)]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        bounds.append(max(soft - _mapped(), 0))
    return min(bounds)


def give_back(held: int) -> None:
    """Give what was freed back to the system, where the C library can: it keeps it for later, as much as the weights take.

    ``held`` are the bytes of a model; of a small one nothing is worth the time.
    """
    if held < WORTH_GIVING:
        return
    gc.collect()  # what was read of a file refers to itself
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def require(size: int, limit: int, what: str) -> None:
    """Raise EdgeoptError when ``size`` bytes, which ``what`` takes, are more than ``limit``."""
    if size > limit:
        way_out = "if the model is meant to be that large, raise it with --max-memory (max_memory=...)"
        raise EdgeoptError(f"{what} takes {amount(size)}, more than the memory limit of {amount(limit)}; {way_out}")


def amount(size: int) -> str:
    """``size`` bytes as a person reads them."""
    for unit, name in ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size} bytes"


def parse_amount(text: str) -> int:
    """The bytes that ``2G``, ``512M`` or ``1000000`` mean. Raises EdgeoptError for anything else."""
    match = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)i?b?", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise EdgeoptError(f"'{text}' is no amount of memory; give bytes, or a number with K, M, G or T as in 2G")
    return int(match[1]) * _UNITS[match[2]]


def _mapped() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


@lru_cache(maxsize=2)
def _cgroup_bounds(top: Path) -> tuple[int, ...]:
    """The bounds of the control groups that hold this process, of either version; read once, since there may be many files."""
    try:
        entries = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        entries = []
    files = [top / "memory.max", top / "memory" / "memory.limit_in_bytes"]
    for _, controllers, path in entries:
        root, name = (top, "memory.max") if not controllers else (top / "memory", "memory.limit_in_bytes")
        folder = root / path.lstrip("/")
        files += [parent / name for parent in [folder, *folder.parents] if parent.is_relative_to(root)]
    return tuple(bound for bound in map(_bound, files) if bound is not None)


def _bound(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None
