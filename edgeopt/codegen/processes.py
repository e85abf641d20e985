"""Work shared among the cores: texts made in forked processes, which inherit all that their making needs.

Kernels are functions with closures, so they cannot be sent to other processes; a fork has them. A process that has several
threads does not fork, since a lock that another thread holds would stay locked for ever in the child: there the work is done
in turn. So it is on one core, and for what a child did not deliver, whatever became of it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import struct
import sys
import threading
from collections.abc import Callable, Sequence

FEWEST = 4  # tasks that are worth a fork, which takes as long as a small one
_INDEX, _HEAD = struct.Struct("<I"), struct.Struct("<IQ")
THREADED = ("jax",)  # libraries with threads that Python does not count
MOST = 8192  # tasks whose numbers fit into a pipe

Task = Callable[[], str]


def shared(tasks: Sequence[Task]) -> list[str]:
    """The results of ``tasks``, in their order. Raises what a task raises."""
    count = min(_cores(), len(tasks))
    made = _forked(tasks, count) if count > 1 and FEWEST <= len(tasks) <= MOST and _may_fork() else {}
    return [made[index] if index in made else task() for index, task in enumerate(tasks)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_fork() -> bool:
    return hasattr(os, "fork") and threading.active_count() == 1 and not any(name in sys.modules for name in THREADED)


def _forked(tasks: Sequence[Task], count: int) -> dict[int, str]:
    """What ``count`` children made of the tasks; the next number in a pipe is the next task of whoever is free."""
    waiting, source = os.pipe()
    os.write(source, b"".join(_INDEX.pack(index) for index in range(len(tasks))))
    os.close(source)
    children: dict[int, int] = {}
    try:
        for _ in range(count):
            with contextlib.suppress(OSError):  # no process or memory left: fewer children, or none
                child, results = _child(tasks, waiting)
                children[child] = results
        return _collected(list(children.values()))
    finally:
        os.close(waiting)
        for child, results in children.items():
            os.close(results)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)  # it has ended unless this process was interrupted
            os.waitpid(child, 0)


def _child(tasks: Sequence[Task], waiting: int) -> tuple[int, int]:
    """A forked process that works on ``tasks``: its number, and where its results are read."""
    results, sink = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(results)
        os.close(sink)
        raise
    if child:
        os.close(sink)
        return child, results
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends its children
        gc.disable()  # a child ends before what it made is worth looking through
        os.close(results)
        _work(tasks, waiting, sink)
    finally:
        os._exit(0)  # nothing of the parent's is finished or flushed by a child


def _work(tasks: Sequence[Task], waiting: int, sink: int) -> None:
    with contextlib.suppress(BaseException), os.fdopen(sink, "wb") as file:
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
