"""Artifacts of earlier compilations, given back to whoever asks for the same again.

The same is asked for when all that decides the result is the same: what was asked, every file that it names to the last byte,
edgeopt and what it compiles with, and this machine. Like all of the cache it is not believed: what is given is compared with the
checksums of when it was kept, and what differs counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeopt import __version__, cache
from edgeopt.errors import EdgeoptError
from edgeopt.files import open_regular
from edgeopt.runtime.folder import put
from edgeopt.runtime.marks import MANIFEST

MOST = 2 << 30  # bytes of all artifacts; the one that was not asked for longest goes first
_EXTERNAL = b"location"  # the key of a tensor that lies in another file, which is not looked for here
_MEASURED = ("cpu MHz", "bogomips", "processor", "core id", "apicid", "initial apicid", "power management")
_LIBRARIES = ("llvmlite", "numba", "numpy", "onnx")


def key(asked: object, files: Iterable[Path]) -> str | None:
    """What names the result of ``asked``, which its repr tells apart, for these files; None where a file refers to others."""
    contents = []
    for path in files:
        try:
            data = _mapped(path)
        except (EdgeoptError, OSError, ValueError):  # whoever reads it says what is wrong
            return None
        if path.suffix != ".npz" and data.find(_EXTERNAL) >= 0:
            return None
        contents.append(hashlib.sha256(data).hexdigest())
    made = repr((asked, contents, sources(), machine(), [version(name) for name in _LIBRARIES], sys.version))
    return hashlib.sha256(made.encode()).hexdigest()


def keep(name: str, directory: Path, about: dict[str, Any]) -> None:
    """Keep the artifact in ``directory`` under the ``name`` that ``key`` gave, with what there is to say ``about`` it."""
    place = cache.folder()
    manifest = (directory / MANIFEST).read_bytes()
    checksums = json.loads(manifest)["checksums"]
    with suppress(OSError):  # the cache only saves time
        if place is not None and sum((directory / file).stat().st_size for file in checksums) <= MOST:
            for file, checksum in checksums.items():
                _copy(directory / file, place / "artifacts" / checksum)
            cache.keep(_entry(name), json.dumps({"manifest": manifest.decode(), "about": about}).encode())
            _drop_oldest(place / "artifacts")


def give(name: str, directory: Path) -> dict[str, Any] | None:
    """Write the artifact of that name to ``directory``, and return what was said about it; None where it is not whole.

    Raises EdgeoptError as ``edgeopt.runtime.folder.put``.
    """
    content, place = cache.read(_entry(name)), cache.folder()
    if content is None or place is None:
        return None
    record = json.loads(content)
    checksums = json.loads(record["manifest"])["checksums"]
    try:
        files = {file: _checked(place / "artifacts" / checksum, checksum) for file, checksum in checksums.items()}
    except (EdgeoptError, OSError, ValueError):
        return None
    put(directory, {**files, MANIFEST: record["manifest"].encode()})
    about: dict[str, Any] = record["about"]
    return about


def _entry(name: str) -> str:
    return f"requests/{name}.json"


def _mapped(path: Path, follow: bool = True) -> mmap.mmap | bytes:
    """The bytes of a regular file. Raises EdgeoptError for what is none."""
    with open_regular(path, follow) as stream:
        empty = os.fstat(stream.fileno()).st_size == 0
        return b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _checked(path: Path, checksum: str) -> memoryview:
    """The bytes of a file that is named by its checksum. Raises ValueError for one that is not what it says."""
    data = _mapped(path, follow=False)
    if hashlib.sha256(data).hexdigest() != checksum:
        cache.remove(path)
        raise ValueError(f"{path} is damaged")
    with suppress(OSError):  # another user's cache, which can be read
        os.utime(path)
    return memoryview(data)


def _copy(source: Path, place: Path) -> None:
    """A copy at ``place``, aside at first; what lies there is replaced, for it may be damaged."""
    if not place.parent.is_dir():
        cache.remove(place.parent)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        cache.remove(place)
    handle, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=place.parent)
    os.close(handle)
    try:
        shutil.copyfile(source, aside)
        os.replace(aside, place)
    except BaseException:
        os.unlink(aside)
        raise


def _drop_oldest(folder: Path) -> None:
    found = [(entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in os.scandir(folder) if entry.is_file()]
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MOST:
            return
        os.unlink(path)
        total -= size


def sources() -> str:
    """A hash of the names, sizes and times of all files of edgeopt."""
    root, found = Path(__file__).parent, []
    for folder, _, names in os.walk(root, followlinks=True):
        stats = [(name, os.stat(os.path.join(folder, name))) for name in names if name.endswith((".py", ".toml"))]
        found += [(folder, name, about.st_size, about.st_mtime_ns) for name, about in stats]
    return hashlib.sha256(repr((__version__, sorted(found))).encode()).hexdigest()


def machine() -> tuple[object, ...]:
    """The processor, the cores and the memory that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lines: list[str] = []
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].split("\n")
    facts = [line for line in lines if not line.startswith(_MEASURED)]
    return platform.machine(), facts, cores, os.sysconf("SC_PHYS_PAGES"), resource.getrlimit(resource.RLIMIT_AS)
