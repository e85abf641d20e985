"""The folder of compiled objects and measured choices. Nothing in it is believed: an entry is checked before it is used.

An entry is one line, which holds the checksum of its name and content and the length of the content, then the content. What is
odd in any way (cut, damaged, another entry's, no plain file) is removed and counts as absent, so that it is made anew.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import warnings
from pathlib import Path

FORMAT = "edgeopt-cache-1"
_LINE = len(f"{FORMAT} {64 * '0'} {12 * '0'}\n")
_temporary: list[Path] = []  # the folder of this process, once one was needed
_OWNER = os.getpid()  # a child that was forked has none of its own: nobody would remove it, and the warning is the parent's


def folder() -> Path | None:
    """Where entries are kept from one process to the next; None where neither the environment nor a home names a place."""
    base = os.environ.get("EDGEOPT_CACHE") or os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "edgeopt"
    try:
        return Path.home() / ".cache" / "edgeopt"
    except RuntimeError:  # no HOME, and no entry for this user in the list of users
        return None


def read(name: str) -> bytes | None:
    """The content of the entry ``name``, a path within the folder; None when there is none that is whole."""
    for place in (folder(), *_temporary):
        found = _read(place / name, name) if place is not None else None
        if found is not None:
            return found
    return None


def keep(name: str, content: bytes) -> None:
    """Write the entry ``name``, whole or not at all.

    Where the folder cannot be written, a temporary one serves this process, and one warning says so.
    """
    entry, place = _head(name, content) + content, folder()
    try:
        if place is None:
            raise OSError("there is no home folder")
        _write(place, name, entry)
    except OSError as error:
        with contextlib.suppress(OSError):  # the cache only saves time; a full disk must not fail a compilation
            _write(_substitute(place, error), name, entry)


def _read(path: Path, name: str) -> bytes | None:
    try:
        entry = _entry(path)
    except FileNotFoundError:
        return None
    except OSError:
        entry = b""
    head, content = entry[:_LINE], entry[_LINE:]
    if head == _head(name, content):
        return content
    remove(path)
    return None


def _entry(path: Path) -> bytes:
    """The bytes of a plain file; none of anything else, without waiting for the other end of a pipe."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        return b""
    with os.fdopen(handle, "rb") as file:
        head = file.read(_LINE)
        return head + file.read() if _length(head) == about.st_size - _LINE else b""


def _head(name: str, content: bytes) -> bytes:
    checksum = hashlib.sha256(name.encode() + b"\n" + content).hexdigest()
    return f"{FORMAT} {checksum} {len(content):012d}\n".encode()


def _length(head: bytes) -> int:
    digits = head[-13:-1]
    return int(digits) if digits.isdigit() else -1


def remove(path: Path) -> None:
    """Remove what lies at ``path``, whatever it is, where that can be done."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write(place: Path, name: str, entry: bytes) -> None:
    """Aside, to the disk, then in place: whoever reads meanwhile, or after a crash, finds the whole entry or none."""
    path = place / name
    if path.parent != place and os.path.lexists(path.parent) and not path.parent.is_dir():  # one that another makes now stays
        remove(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(entry)
            file.flush()
            os.fsync(handle)
        if path.is_dir():
            remove(path)
        os.replace(aside, path)
    except BaseException:
        remove(Path(aside))
        raise


def _substitute(place: Path | None, error: OSError) -> Path:
    if os.getpid() != _OWNER:
        raise error
    if not _temporary:
        _temporary.append(Path(tempfile.mkdtemp(prefix="edgeopt-cache-")))
        atexit.register(shutil.rmtree, _temporary[0], ignore_errors=True)
        what = f"the cache '{place}' cannot be written" if place is not None else "no folder for the cache was found"
        reason = error.strerror or error
        warnings.warn(f"{what} ({reason}); a temporary one is used, EDGEOPT_CACHE names another", stacklevel=2)
    return _temporary[0]
