"""Forked processes, which inherit all that their work needs and write what they make of it into a pipe.

A process that has several threads does not fork, since a lock that another thread holds would stay locked for ever in the child.
Whatever becomes of a child, its parent can do the same work itself; so nothing that a child does is missed or done twice.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, TypeVar

THREADED = ("jax",)  # libraries with threads that Python does not count

Result = TypeVar("Result")


@dataclass(frozen=True)
class Child:
    """A process by its ``number``, and the file descriptor at which what it writes is read."""

    number: int
    results: int


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_fork() -> bool:
    """Whether a child would be sound, and there is another core for it."""
    alone = threading.active_count() == 1 and not any(name in sys.modules for name in THREADED)
    return hasattr(os, "fork") and alone and cores() > 1


def fork(work: Callable[[BinaryIO], None]) -> Child:
    """A child that does ``work`` and ends, whatever is raised in it. Raises OSError when there is no process left."""
    results, sink = os.pipe()
    try:
        number = os.fork()
    except OSError:
        os.close(results)
        os.close(sink)
        raise
    if number:
        os.close(sink)
        return Child(number, results)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends its children
        gc.disable()  # a child ends before what it made is worth looking through
        os.close(results)
        with contextlib.suppress(BaseException), os.fdopen(sink, "wb") as file:
            work(file)
    finally:
        os._exit(0)  # nothing of the parent's is finished or flushed by a child


def end(child: Child) -> None:
    """Wait for ``child``, which is stopped if it still works."""
    os.close(child.results)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.number, signal.SIGKILL)
    os.waitpid(child.number, 0)


def apart(task: Callable[[], Result]) -> Result:
    """What ``task`` gives, in a child where that may be: the memory in which it works goes with it."""
    return next(in_order([task], 1))


def in_order(tasks: Sequence[Callable[[], Result]], count: int | None = None) -> Iterator[Result]:
    """What each of ``tasks`` gives, made by ``count`` children (one for each core), which never are far ahead of who takes it.

    What is given can be pickled. Raises what a task raises.
    """
    count, children = min(count or cores(), len(tasks)), []
    try:
        with contextlib.suppress(OSError):  # no process or memory left: fewer children, or none
            for number in range(count if may_fork() else 0):
                children.append(fork(partial(_each, tasks[number::count])))
        sources = {number: _received(child) for number, child in enumerate(children)}
        for index, task in enumerate(tasks):
            found = next(sources.get(index % count, iter(())), None)
            yield task() if found is None else found[0]
    finally:
        for child in children:
            end(child)


def _each(tasks: Sequence[Callable[[], Result]], file: BinaryIO) -> None:
    for task in tasks:
        pickle.dump((task(),), file, pickle.HIGHEST_PROTOCOL)
        file.flush()


def _received(child: Child) -> Iterator[tuple[Any]]:
    """What a child sends, until it ends, wherever it is cut off."""
    with contextlib.suppress(EOFError, pickle.UnpicklingError), os.fdopen(child.results, "rb", closefd=False) as file:
        while True:
            yield pickle.load(file)
