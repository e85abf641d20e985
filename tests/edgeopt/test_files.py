"""Only regular files are read, without waiting for what never comes; a file is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import edgeopt
from edgeopt import npz
from edgeopt.errors import EdgeoptError
from edgeopt.examine.originals import original_runner
from edgeopt.files import open_regular, read_regular, replacing
from edgeopt.frontend import load
from edgeopt.target import target


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


KINDS: dict[str, Callable[[Path], None]] = {"a FIFO": fifo, "a socket": listening, "a device": device, "a folder": folder}
READERS: dict[str, Callable[[Path], object]] = {
    "model": lambda path: load(path),
    "archive": lambda path: npz.read(path, ["x"]),
    "target": lambda path: target(str(path)),
    "original": lambda path: original_runner(path, "onnx.reference"),
    "bytes": lambda path: read_regular(path, 10),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_only_regular_files_are_read(kind: str, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    KINDS[kind](path)
    with pytest.raises(EdgeoptError, match=f"is {kind}, not a"):
        READERS[reader](path)


@pytest.mark.parametrize("name", ["missing.toml", "nul\0.toml", "n" * 300 + ".toml"])
@pytest.mark.parametrize("reader", READERS)
def test_a_path_that_cannot_be_is_one_message(name: str, reader: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="cannot read"):
        READERS[reader](tmp_path / name)


def test_links_are_followed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 4) == b"data"
    with pytest.raises(EdgeoptError, match="is a link"):
        open_regular(tmp_path / "link", follow=False)
    with pytest.raises(EdgeoptError, match="larger than 3 bytes"):
        read_regular(tmp_path / "link", 3)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "y"
    path.write_bytes(b"old")
    for error in (OSError(28, "No space left on device"), ValueError("odd"), KeyboardInterrupt()):
        with pytest.raises((EdgeoptError, KeyboardInterrupt)), replacing(path) as stream:
            stream.write(b"half")
            raise error
        assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["y"]
    with replacing(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["y"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    with replacing(tmp_path / "link") as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null", "/", "/proc/version", "missing/y"])
def test_what_cannot_be_written_is_one_message(path: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeoptError, match="not a file|cannot write"), replacing(tmp_path / path) as stream:
        stream.write(b"data")
    assert not Path("/dev/full").exists() or Path("/dev/full").is_char_device()


def test_a_fifo_is_not_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "y")
    with pytest.raises(EdgeoptError, match="is a FIFO"), replacing(tmp_path / "y"):
        pass


SMALL_DISK = """
mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "
import sys, os, numpy as np
from pathlib import Path
from edgeopt import EdgeoptError, npz
folder = Path(sys.argv[1])
try:
    npz.write(folder / 'y.npz', {'y': np.zeros(1 << 20)})
except EdgeoptError as error:
    print(error, os.listdir(folder))
" "$1"
"""


def test_a_full_disk_is_one_message(tmp_path: Path) -> None:
    """On a file system of 64 kB, made in a name space of its own where that is allowed."""
    import sys

    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    command = [unshare, "-rm", "sh", "-c", SMALL_DISK, "sh", str(tmp_path), sys.executable]
    root = Path(edgeopt.__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert "No space left on device []" in done.stdout, done.stderr
