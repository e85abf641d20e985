"""Files as a user names them: only regular ones are read, and one is written whole or not at all.

Opening a FIFO waits for ever for its other end, and a device may have no end; both are refused before they are opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from edgeopt.errors import EdgeoptError

PROTOBUF_LIMIT = 2**31  # bytes of one message, such as an ONNX model

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path, follow: bool = True, what: str = "") -> BinaryIO:
    """``path`` opened for reading. Links count as what they lead to, or are refused when ``follow`` is False.

    Raises EdgeoptError for what is no regular file or cannot be opened; ``what`` begins its message.
    """
    try:
        _refuse(path, os.stat(path, follow_symlinks=follow).st_mode)
        # What lies at the path may change after it was looked at: opened without waiting, and looked at again.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
        stream = os.fdopen(file, "rb")
        _refuse(path, os.fstat(file).st_mode)
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"{what}{': ' if what else ''}cannot read '{path}': {_reason(error)}") from error
    return stream


def read_regular(path: Path, limit: int, what: str = "") -> bytes:
    """The content of a regular file of at most ``limit`` bytes. Raises EdgeoptError as ``open_regular`` and for a larger one."""
    with open_regular(path, what=what) as stream:
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise EdgeoptError(f"cannot read '{path}': {_reason(error)}") from error
    if len(data) > limit:
        raise EdgeoptError(f"'{path}' is larger than {limit:,} bytes, more than such a file can be")
    return data


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends without an error; until then ``path`` stays as it was.

    A link at ``path`` stays one: what it leads to is replaced. Raises EdgeoptError when ``path`` is anything but a regular file
    that may be written, or the disk refuses.
    """
    try:
        final = _replaceable(path)
        aside = final.with_name(f".edgeopt-{token_hex(8)}.part")
        with _created(aside) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(aside, final)
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"cannot write '{path}': {_reason(error)}") from error


def refuse_place(path: Path, folder: bool = False) -> None:
    """Raise EdgeoptError for a place where no file (or ``folder``) can be written: asked before the work, not after it."""
    try:
        above = Path(os.path.realpath(path)) if folder else _replaceable(path).parent
        while folder and not os.path.lexists(above):
            above = above.parent
        if not above.is_dir():
            raise EdgeoptError(f"cannot write '{path}': '{above}' is {'no folder' if above.exists() else 'not there'}")
        if not os.access(above, os.W_OK):
            raise EdgeoptError(f"cannot write '{path}': '{above}' is read only")
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"cannot write '{path}': {_reason(error)}") from error


@contextmanager
def _created(aside: Path) -> Iterator[BinaryIO]:
    with aside.open("xb") as stream:
        try:
            yield stream
        finally:
            with suppress(FileNotFoundError):
                aside.unlink()


def _replaceable(path: Path) -> Path:
    final = Path(os.path.realpath(path))
    with suppress(FileNotFoundError):
        _refuse(path, os.stat(final).st_mode)
        if not os.access(final, os.W_OK):
            raise EdgeoptError(f"cannot write '{path}': it is read only")
    return final


def _refuse(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise EdgeoptError(f"'{path}' is {kind}, not a file")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
