"""Work shared among the cores: texts made in forked processes, which inherit all that their making needs.

Kernels are functions with closures, so they cannot be sent to other processes; a fork has them. Where a process does not fork the
work is done in turn; so it is on one core, and for what a child did not deliver, whatever became of it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

from edgeopt.children import Child, cores, end, fork, may_fork

FEWEST = 4  # tasks that are worth a fork, which takes as long as a small one
_INDEX, _HEAD = struct.Struct("<I"), struct.Struct("<IQ")
MOST = 8192  # tasks whose numbers fit into a pipe

Task = Callable[[], str]


def shared(tasks: Sequence[Task]) -> list[str]:
    """The results of ``tasks``, in their order. Raises what a task raises."""
    count = min(cores(), len(tasks))
    made = _forked(tasks, count) if count > 1 and FEWEST <= len(tasks) <= MOST and may_fork() else {}
    return [made[index] if index in made else task() for index, task in enumerate(tasks)]


def _forked(tasks: Sequence[Task], count: int) -> dict[int, str]:
    """What ``count`` children made of the tasks; the next number in a pipe is the next task of whoever is free."""
    waiting, source = os.pipe()
    os.write(source, b"".join(_INDEX.pack(index) for index in range(len(tasks))))
    os.close(source)
    children: list[Child] = []
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):  # no process or memory left: fewer children, or none
                children.append(fork(partial(_work, tasks, waiting)))
        return _collected([child.results for child in children])
    finally:
        os.close(waiting)
        for child in children:
            end(child)


def _work(tasks: Sequence[Task], waiting: int, file: BinaryIO) -> None:
    while number := os.read(waiting, _INDEX.size):
        (index,) = _INDEX.unpack(number)
        with contextlib.suppress(Exception):  # the parent does it again, and raises where it is expected
            result = tasks[index]().encode()
            file.write(_HEAD.pack(index, len(result)) + result)
            file.flush()


def _collected(sources: Sequence[int]) -> dict[int, str]:
    """The results of all children, which close their pipes when no task is left."""
    received = {source: bytearray() for source in sources}
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                received[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
    return {index: text for data in received.values() for index, text in _results(bytes(data))}


def _results(data: bytes) -> list[tuple[int, str]]:
    """The whole results in what a child wrote; the last may be cut off where it was killed."""
    found, at = [], 0
    while at + _HEAD.size <= len(data):
        index, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        if at <= len(data):
            found.append((index, data[at - length : at].decode()))
    return found
