"""npz archives: what numpy writes is read, what is odd or hostile is one message, and every name is written."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from edgeopt import npz
from edgeopt.errors import EdgeoptError
from edgeopt.ir import Array

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def member(array: Array) -> bytes:
    stream = io.BytesIO()
    npy.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def headed(shape: str, data: bytes = X.tobytes(), descr: str = "'<f4'") -> bytes:
    """A member whose header says ``shape``, whatever the data."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return npy.MAGIC_PREFIX + b"\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n" + data


def archive(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "array",
    [X, X.astype(">f4"), np.asfortranarray(X), X[:, ::2], np.float32(3), np.zeros((0, 4), np.int64), np.array([True])],
    ids=["plain", "big-endian", "fortran", "strided", "scalar", "empty", "bool"],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(array: Array, save: Callable[..., None], tmp_path: Path) -> None:
    save(tmp_path / "x.npz", x=array, unused=np.array([object()], object))
    (found,) = npz.read(tmp_path / "x.npz", ["x"]).values()
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.asarray(array).dtype.newbyteorder("=") and found.dtype.isnative


def test_others_are_read_by_their_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=X, labels=np.arange(2), more=X)
    assert list(npz.read(tmp_path / "x.npz", ["x"], {"labels", "weights"}.__contains__)) == ["x", "labels"]


ODD: dict[str, tuple[bytes, str]] = {
    "huge": (headed("(1099511627776,)"), "promises"),
    "negative": (headed("(-1, 4)"), "promises"),
    "short": (headed("(25,)"), "promises"),
    "pickled": (member(np.array([{"a": 1}], object)), "pickled Python objects"),
    "object header": (headed("(3,)", descr="'|O'"), "pickled Python objects"),
    "nested": (headed("(" * 3000), "cannot read"),
    "long header": (headed("(24," + " " * 60000 + ")"), "cannot read"),
    "no shape": (headed("'x'"), "cannot read"),
    "no type": (headed("(24,)", descr="'<zz'"), "cannot read"),
    "no header": (b"abc", "cannot read"),
    "version": (npy.MAGIC_PREFIX + b"\x09\x00", "version"),
    "empty": (b"", "cannot read"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_odd_member_is_one_message(kind: str, method: int, tmp_path: Path) -> None:
    data, message = ODD[kind]
    with pytest.raises(EdgeoptError, match=message):
        npz.read(archive(tmp_path / "x.npz", ("x.npy", data), method=method), ["x"])


def test_an_odd_archive_is_one_message(tmp_path: Path) -> None:
    good = archive(tmp_path / "good.npz", ("x.npy", member(X))).read_bytes()
    encrypted = good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    assert encrypted != good
    method = good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x61")
    flipped = good.replace(X.tobytes(), b"\x01" + X.tobytes()[1:])
    cases = {"cut": good[:90], "encrypted": encrypted, "method": method, "flipped": flipped, "text": b"hello", "none": b""}
    cases["plain"] = member(X)
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(
            EdgeoptError, match=name if name == "encrypted" else r"single array" if name == "plain" else "npz archive"
        ):
            npz.read(tmp_path / name, ["x"])


def test_two_arrays_of_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        archive(tmp_path / "x.npz", ("x.npy", member(X)), ("x.npy", member(2 * X)))
    with pytest.raises(EdgeoptError, match="two arrays called 'x'"):
        npz.read(tmp_path / "x.npz", ["x"])


def test_every_cut_and_flipped_byte_is_a_message_or_the_same_array(tmp_path: Path) -> None:
    good, random = (
        archive(tmp_path / "x.npz", ("x.npy", member(X)), method=zipfile.ZIP_DEFLATED).read_bytes(),
        np.random.default_rng(5),
    )
    for trial in range(150):
        data = bytearray(good)
        data[random.integers(len(good))] ^= 1 << int(random.integers(8))
        (tmp_path / "bad.npz").write_bytes(data if trial % 3 else data[: random.integers(len(good))])
        try:
            found = npz.read(tmp_path / "bad.npz", ["x"])["x"]
        except EdgeoptError:
            continue
        np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize(
    "name", ["file", "allow_pickle", "self", "a/b", "/abs", "../up", "x.npy", "", "ü\n", "\\", "arr_0", "n" * 9000]
)
def test_every_name_is_written(name: str, tmp_path: Path) -> None:
    npz.write(tmp_path / "y.npz", {name: X, "other": X[:1]})
    assert os.listdir(tmp_path) == ["y.npz"]
    with np.load(tmp_path / "y.npz") as loaded:
        found = {key: loaded[key] for key in loaded.files}
    np.testing.assert_array_equal(found[name], X)
    np.testing.assert_array_equal(npz.read(tmp_path / "y.npz", [name])[name], X)


@pytest.mark.parametrize("name", ["a\0b", "n" * 70_000])
def test_a_name_that_zip_cannot_hold_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="cannot hold an array called"):
        npz.write(tmp_path / "y.npz", {name: X})
    assert not os.listdir(tmp_path)


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="'y' is no array of numbers"):
        npz.write(tmp_path / "y.npz", {"y": np.array(["text"], object)})
    assert not os.listdir(tmp_path)
