"""Loops compiled by numba for this process, kept in the cache of edgeopt.

numba's own cache lies beside the source or in the home folder, fails where neither can be written, believes whatever it reads,
and does not see that a function which another one calls has changed. Here a function is kept under the text of the modules
beside its own, among which all that it calls must lie.
"""

from __future__ import annotations

import hashlib
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core import serialize
from numba.core.compiler import CompileResult

from edgeopt.cache import keep, read


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` compiled at its first call with each kind of arguments; it releases the interpreter while it runs."""
    dispatcher = njit(nogil=True)(function)
    dispatcher._cache = _Kept(function)
    dispatcher._compile_for_args = _held_back()(dispatcher._compile_for_args)
    return dispatcher


@contextmanager
def _held_back() -> Iterator[None]:
    """An interrupt meanwhile is one at the end: LLVM calls Python, where what is raised gets lost and half a function is left."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if here else None
    if before is None:  # another thread hears of signals, or nothing of Python does
        yield
        return
    caught: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught:
            signal.raise_signal(signal.SIGINT)


class _Kept:
    """What numba asks of a cache of compiled functions."""

    cache_path = None

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.folder = Path(function.__code__.co_filename).parent

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The result of an earlier compilation, or None."""
        context.refresh()
        content = read(self._entry(signature, context.codegen()))
        return None if content is None else CompileResult._rebuild(context, *pickle.loads(content))

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a result that holds nothing of this process."""
        if not result.lifted and not result.library.has_dynamic_globals:
            keep(self._entry(signature, result.codegen), serialize.dumps(result._reduce()))

    def _entry(self, signature: Any, code: Any) -> str:
        known = repr((source_digest(self.folder), self.name, str(signature), code.magic_tuple()))
        return f"loops/{hashlib.sha256(known.encode()).hexdigest()[:32]}.bin"


@cache
def source_digest(folder: Path) -> str:
    """A hash of the modules in ``folder`` and the version of numba."""
    texts = [file.read_bytes() for file in sorted(folder.glob("*.py"))]
    return hashlib.sha256(repr((numba.__version__, texts)).encode()).hexdigest()
