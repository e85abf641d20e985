"""npz archives: arrays by name in a zip file, as ``numpy.savez`` writes them.

numpy's own reader allocates what a header promises before it looks at the data, runs code for pickled objects when asked to, and
fails on damage in a dozen ways; its writer takes the names of arrays as keyword arguments, some of which are its own.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from edgeopt.errors import EdgeoptError
from edgeopt.files import open_regular, replacing
from edgeopt.ir import Array

_SUFFIX, _MODE, _ENCRYPTED, _LONGEST, _LISTED = ".npy", 0o600 << 16, 1, 60_000, 10
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read(path: Path, wanted: Sequence[str], others: Callable[[str], bool] | None = None) -> dict[str, Array]:
    """The arrays called ``wanted``, and those whose names ``others`` takes; in this machine's byte order, the rest is not read.

    Raises EdgeoptError when the file is no npz archive, damaged, lacks an array, or holds objects where an array is wanted.
    """
    with open_regular(path) as stream:
        try:
            with _opened(stream, path, wanted) as archive:
                members = _members(archive, path)
                _require(wanted, members, path)
                names = [*wanted, *(name for name in members if others is not None and others(name) and name not in wanted)]
                return {name: _array(archive, members[name], name) for name in names}
        except EdgeoptError:
            raise
        except Exception as error:  # which ones zipfile, zlib and numpy raise on damage is written nowhere
            raise EdgeoptError(f"cannot read '{path}' as an npz archive: {error or type(error).__name__}") from error


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` so that ``numpy.load`` gives them under their names; whole or not at all.

    Raises EdgeoptError for a name or an array that an npz archive cannot hold, and when the disk refuses.
    """
    for name, array in arrays.items():
        if "\0" in name or len(name.encode(errors="surrogatepass")) > _LONGEST:
            raise EdgeoptError(
                f"cannot write '{path}': an npz archive cannot hold an array called {name[:80]!r}; rename the output"
            )
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            raise EdgeoptError(f"cannot write '{path}': '{name}' is no array of numbers; call the model from Python for it")
    with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + _SUFFIX)
            info.external_attr = _MODE
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)


def _opened(stream: IO[bytes], path: Path, wanted: Sequence[str]) -> zipfile.ZipFile:
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        what = "a single array (npy)" if stream.read(6) == npy.MAGIC_PREFIX else "cut short or something else"
        name = next((name for name in wanted if name.isidentifier()), "NAME")
        raise EdgeoptError(f"'{path}' is not an npz archive but {what}; numpy.savez(path, {name}=array) writes one")
    return zipfile.ZipFile(stream)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(_SUFFIX)
        if name in found:
            raise EdgeoptError(f"'{path}' holds two arrays called '{name}'; write it anew")
        if info.filename.endswith(_SUFFIX):
            found[name] = info
    return found


def _require(wanted: Sequence[str], members: Mapping[str, object], path: Path) -> None:
    for name in wanted:
        if name not in members:
            listed = ", ".join([*members][:_LISTED]) + (", ..." if len(members) > _LISTED else "")
            raise EdgeoptError(f"'{path}' has no array for the input '{name}'; it has {listed or 'none'}")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
    if info.flag_bits & _ENCRYPTED:
        raise ValueError(f"the array '{name}' is encrypted")
    with archive.open(info) as member:
        shape, fortran, dtype = _header(member, name)
        size, held = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if min(shape, default=0) < 0 or size != held:
            raise ValueError(f"the header of '{name}' promises {dtype}{list(shape)}, the data have {held:,} bytes")
        flat = np.empty(math.prod(shape), dtype)
        _fill(member, flat.view(np.uint8).data)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"'{name}' is of version {version} of the npy format")
    shape, fortran, dtype = _HEADERS[version](member)
    if dtype.hasobject:
        raise ValueError(f"'{name}' holds pickled Python objects, which are never read; convert it to an array of numbers")
    return shape, fortran, dtype


def _fill(member: IO[bytes], target: memoryview) -> None:
    """Read to the end of ``member``, where its checksum is compared."""
    while len(target) and (count := member.readinto(target)):  # type: ignore[attr-defined]
        target = target[count:]
    if len(target) or member.read(1):
        raise ValueError("the data end too early")
