"""Which ports a process and those it started listen on, as Linux tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"
_LOOPBACK = ("0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F")  # 127.0.0.1, ::1, ::ffff:127.0.0.1


def beyond_loopback(pid: int) -> list[int]:
    """Ports on which ``pid`` and its descendants can be reached from other machines."""
    mine = {inode for process in (pid, *_descendants(pid)) for inode in _sockets(process)}
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                address, port = fields[1].split(":")
                if fields[3] == _LISTENS and fields[9] in mine and address not in _LOOPBACK:
                    found.append(int(port, 16))
    return sorted(found)


def _descendants(pid: int) -> Iterator[int]:
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
    known = {pid}
    while more := {child for child, parent in parents.items() if parent in known and child not in known}:
        yield from more
        known |= more


def _sockets(pid: int) -> Iterator[str]:
    """The inodes of the open sockets of a process."""
    for place in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            name = os.readlink(place)
            if name.startswith("socket:["):
                yield name[8:-1]
