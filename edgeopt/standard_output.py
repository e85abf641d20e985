"""Standard output is for results: what a native library prints there by itself goes to standard error."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

OUTPUT, ERROR = 1, 2  # file descriptors
_LOCK = Lock()  # the descriptors belong to the process


@contextmanager
def kept_clean() -> Iterator[None]:
    """Within, whatever is written to the file descriptor of standard output reaches standard error.

    HiGHS, which ``scipy.optimize.milp`` calls, now and then leaves a line of its debugging in the middle of somebody's JSON.
    """
    with _LOCK:
        try:
            before = os.dup(OUTPUT)
        except OSError:  # closed: nothing can be written to it
            yield
            return
        try:
            _flush()
            with suppress(OSError):  # standard error may be closed
                os.dup2(ERROR, OUTPUT)
            yield
        finally:
            _flush()
            os.dup2(before, OUTPUT)
            os.close(before)


def _flush() -> None:
    """Write out what C libraries hold back: into a pipe that is all, until the process ends."""
    with suppress(OSError, TypeError, AttributeError):  # where the C library is not part of the process
        ctypes.CDLL(None).fflush(None)
