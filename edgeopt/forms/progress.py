"""A bar on stderr for work that takes more than a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 1.0  # seconds without a bar


def progress(items: Sequence[T], title: str) -> Iterator[T]:
    """``items``, one after the other; on a terminal a bar shows how far that is once ``PATIENCE`` is over."""
    started, done = time.monotonic(), 0
    for item in items:
        if done and time.monotonic() - started > PATIENCE:
            break
        yield item
        done += 1
    if done < len(items):
        yield from _shown(items[done:], title, done, len(items))


def _shown(rest: Sequence[T], title: str, done: int, total: int) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(rest, title, total=total, completed=done, console=console, transient=True, disable=hidden)
