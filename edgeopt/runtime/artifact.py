"""The compiled model on disk: a directory whose manifest holds the checksums of all that will be executed or decoded."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.lower.memory import aligned
from edgeopt.report.page import page
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.model import CompiledModel

FORMAT = 1
REPORT = "report.html"


def save(compiled: CompiledModel, directory: Path) -> None:
    """Write the artifact aside, then rename it into place. Raises EdgeoptError when the disk refuses."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise EdgeoptError(f"cannot write '{directory}': {error.strerror}") from error
    try:
        _write(compiled, aside)
        aside.chmod(0o755)
        _swap(aside, directory)
    except OSError as error:
        raise EdgeoptError(f"cannot write '{directory}': {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(compiled: CompiledModel, directory: Path) -> None:
    for name, data in compiled.files.items():
        (directory / name).write_bytes(data)
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in compiled.files.items()}
    manifest = {**compiled.manifest, "format": FORMAT, "checksums": checksums}
    manifest["digest"] = _digest(manifest)
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    (directory / REPORT).write_text(page(manifest))


def _swap(aside: Path, directory: Path) -> None:
    if directory.exists():
        if not (directory / "manifest.json").exists() and any(directory.iterdir()):
            raise EdgeoptError(f"'{directory}' exists and is not a compiled model; choose another -o or remove it")
        old = aside.with_name(aside.name + ".old")
        os.rename(directory, old)
        os.rename(aside, directory)
        shutil.rmtree(old)
    else:
        os.rename(aside, directory)


def load(directory: str | Path) -> CompiledModel:
    """Read an artifact and check every checksum before anything is executed.

    Raises EdgeoptError when the directory is no artifact, of another format, or damaged.
    """
    arguments.instance("directory", directory, (str, Path))
    directory = Path(directory)
    manifest = _manifest(directory)
    files: dict[str, bytes | memoryview] = {}
    for name, checksum in manifest["checksums"].items():
        files[name] = _checked(directory / Path(name).name, checksum)
    return CompiledModel(manifest, files)


def _manifest(directory: Path) -> Manifest:
    path = directory / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EdgeoptError(f"'{directory}' is not a compiled model: cannot read {path.name} ({error})") from error
    needed = {"format", "name", "target", "inputs", "outputs", "parts", "checksums", "arena_bytes", "scratch_bytes"}
    if not isinstance(manifest, dict) or not needed <= set(manifest):
        raise EdgeoptError(f"'{path}' lacks {sorted(needed - set(manifest))}; compile the model again")
    if manifest["format"] != FORMAT:
        raise EdgeoptError(f"'{directory}' has format {manifest['format']}, this edgeopt reads {FORMAT}; compile it again")
    if manifest.get("digest") != _digest(manifest):
        raise EdgeoptError(f"'{path}' is damaged (its checksum differs from its content); compile the model again")
    return dict(manifest)


def _digest(manifest: Manifest) -> str:
    """The checksum of everything else in the manifest."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _checked(path: Path, checksum: str) -> memoryview:
    try:
        data = aligned(path.stat().st_size)
        with path.open("rb") as file:
            read = file.readinto(data)
    except OSError as error:
        raise EdgeoptError(f"the compiled model lacks '{path}': {error.strerror}; compile it again") from error
    if read != len(data) or hashlib.sha256(data).hexdigest() != checksum:
        raise EdgeoptError(f"'{path}' is damaged (its checksum differs from the manifest); compile the model again")
    return data
