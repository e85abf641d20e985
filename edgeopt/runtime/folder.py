"""The directory of a compiled model: written aside, put in place in one step, and nothing but its own files ever removed."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular
from edgeopt.runtime.marks import MANIFEST, MANIFEST_LIMIT, MARK, OWN_FILES

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV}


def refuse_foreign(directory: Path) -> None:
    """Raise EdgeoptError unless ``directory`` is missing, an empty folder, or a compiled model and nothing else."""
    _own(_final(directory), directory)


def put(directory: Path, files: Mapping[str, bytes | memoryview]) -> None:
    """Write ``files`` as the folder ``directory``; a compiled model that lies there is replaced, at every moment old or new.

    Raises EdgeoptError for what ``refuse_foreign`` refuses and when the disk refuses; then everything is as it was.
    """
    final = _final(directory)
    old = _own(final, directory)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".edgeopt-", dir=final.parent))
        try:
            for name, data in files.items():
                _write(aside / name, data)
            aside.chmod(0o755)
            _swap(aside, final)
        finally:
            _remove(aside, {*files, *old})
    except OSError as error:
        raise EdgeoptError(f"cannot write '{directory}': {error.strerror}") from error


def _final(directory: Path) -> Path:
    try:
        if directory.name in ("", ".."):
            return directory.resolve()
        return directory.parent.resolve() / directory.name
    except (OSError, ValueError, RuntimeError) as error:
        raise EdgeoptError(f"cannot write '{directory}': {error}") from error


def _own(final: Path, directory: Path) -> set[str]:
    """The files of the compiled model at ``final``, none where nothing lies; raises EdgeoptError for everything else."""
    try:
        mode = final.lstat().st_mode
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"cannot write '{directory}': {error}") from error
    if not stat.S_ISDIR(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "no folder"
        raise EdgeoptError(f"'{directory}' exists and is {kind}; choose another -o or remove it")
    if final == Path.cwd():
        raise EdgeoptError(f"'{directory}' is the folder you are in, which cannot be replaced; choose another -o")
    present = _regular(final)
    if not present:
        return set()
    listed = _listed(final)
    if listed is None:
        raise EdgeoptError(f"'{directory}' exists and is not a compiled model; choose another -o or remove it")
    foreign = sorted(name for name, regular in present.items() if not regular or name not in listed)
    if foreign:
        raise EdgeoptError(f"'{directory}' also holds '{foreign[0]}', no part of the model; move it or choose another -o")
    return listed


def _regular(folder: Path) -> dict[str, bool]:
    try:
        return {entry.name: entry.is_file(follow_symlinks=False) for entry in os.scandir(folder)}
    except OSError as error:
        raise EdgeoptError(f"cannot read the folder '{folder}': {error.strerror}") from error


def _listed(folder: Path) -> set[str] | None:
    """The files that the manifest in ``folder`` lists; None when it is not one of ours."""
    try:
        manifest = json.loads(read_regular(folder / MANIFEST, MANIFEST_LIMIT))
    except (EdgeoptError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("checksums"), dict):
        return None
    first_format = manifest.get("format") == 1 and {"digest", "parts", "arena_bytes"} <= manifest.keys()
    return {*manifest["checksums"], *OWN_FILES} if manifest.get("artifact") == MARK or first_format else None


def _write(path: Path, data: bytes | memoryview) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _swap(aside: Path, final: Path) -> None:
    """Put ``aside`` at ``final``; what lay there lies at ``aside`` afterwards, or nothing."""
    if not final.exists() or not any(final.iterdir()):
        return os.rename(aside, final)  # which takes the place of an empty folder
    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):
        if not library.renameat2(_HERE, os.fsencode(aside), _HERE, os.fsencode(final), _EXCHANGE):
            return None
        if (code := ctypes.get_errno()) not in _NO_EXCHANGE:
            raise OSError(code, os.strerror(code))
    return _swap_in_steps(aside, final)


def _swap_in_steps(aside: Path, final: Path) -> None:
    """For file systems that cannot exchange two folders; undone when the second step fails."""
    between = aside.with_name(aside.name + ".old")
    os.rename(final, between)
    try:
        os.rename(aside, final)
    except BaseException:
        os.rename(between, final)
        raise
    os.rename(between, aside)


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Remove the files called ``names`` and then the folder, which stays when it holds anything else."""
    with suppress(OSError):
        for name in names:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        folder.rmdir()
