"""The compiled model on disk: a directory whose manifest holds the checksums of all that will be executed or decoded.

Checksums tell damage, not who wrote the files: whoever can change the code can change them too. A signature tells
(``edgeopt.runtime.signature``).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgeopt import __version__, arguments
from edgeopt.errors import EdgeoptError
from edgeopt.files import open_regular, read_regular
from edgeopt.lower.memory import aligned
from edgeopt.report.page import page
from edgeopt.report.record import report_of
from edgeopt.runtime.folder import put
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.manifest_sense import check_manifest
from edgeopt.runtime.marks import FORMAT, MANIFEST, MANIFEST_LIMIT, MARK, PACK_FORMAT, REPORT, REPORT_RECORD
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.reading import WEIGHTS


def save(compiled: CompiledModel, directory: Path) -> None:
    """Write the artifact aside and put it into place; see ``edgeopt.runtime.folder``. Raises EdgeoptError when that fails."""
    report = {} if REPORT in compiled.files else _report(compiled.manifest)  # one that was loaded has its own
    files = dict(sorted({**compiled.files, **report}.items()))
    put(directory, {**files, MANIFEST: sealed(compiled.manifest, files)})


def _report(manifest: Manifest) -> dict[str, bytes]:
    """The record of the report, and its page, which is made of nothing else."""
    record = strict({"edgeopt": __version__, **report_of(manifest)})
    return {REPORT_RECORD: (json.dumps(record, allow_nan=False) + "\n").encode(), REPORT: page(record).encode()}


def sealed(manifest: Manifest, files: Mapping[str, bytes | memoryview]) -> bytes:
    """The file of a manifest with the checksums of the ``files`` that it stands for."""
    whole = {**strict(manifest), "artifact": MARK, "format": FORMAT, "edgeopt": __version__}
    whole["checksums"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    whole["sizes"] = {name: len(data) for name, data in files.items()}
    whole["digest"] = digest(whole)
    return (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()


def strict(value: Any) -> Any:
    """``value`` as strict JSON can hold it: NaN and infinity, which it cannot, become null."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load(directory: str | Path, key: str | Path | None = None) -> CompiledModel:
    """Read an artifact and check its checksums before anything is executed; with ``key``, a file of a public key, its signature.

    An artifact holds native code, which ``run`` executes: without a signature load only what you trust.
    Raises EdgeoptError when the directory is no artifact, of another format, damaged, or not signed by that key.
    """
    arguments.instance("directory", directory, (str, Path))
    directory = Path(directory)
    if directory.is_file():
        raise EdgeoptError(f"'{directory}' is a file, no compiled model; edgeopt.compile makes one of an ONNX file")
    content = read_regular(directory / MANIFEST, MANIFEST_LIMIT, f"'{directory}' is not a compiled model")
    if key is not None:
        from edgeopt.runtime.signature import verify

        verify(directory, content, Path(key))
    manifest = parsed(directory, content)
    if manifest["format"] == PACK_FORMAT:
        raise EdgeoptError(f"'{directory}' holds several variants of a model: edgeopt.load_pack opens it")
    check_sealed(directory, manifest)
    return opened(manifest, lambda name: checked_file(directory / name, manifest["sizes"][name], manifest["checksums"][name]))


def opened(manifest: Manifest, read: Callable[[str], bytes | memoryview]) -> CompiledModel:
    """The model of a checked manifest, whose files ``read`` gives by their names, checked as well."""
    return CompiledModel(manifest, {name: read(name) for name in manifest["checksums"]}, again=lambda _: {WEIGHTS: read(WEIGHTS)})


def parsed(directory: Path, content: bytes) -> Manifest:
    """The manifest that a file of one holds, with a format that is known here. Raises EdgeoptError for anything else."""
    path = directory / MANIFEST
    try:
        manifest = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise EdgeoptError(f"'{directory}' is not a compiled model: {MANIFEST} is no JSON ({error})") from error
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise EdgeoptError(f"'{directory}' is not a compiled model: '{path}' says no format")
    if manifest["format"] not in (FORMAT, PACK_FORMAT):
        made = f", written by edgeopt {manifest['edgeopt']}" if "edgeopt" in manifest else ""
        newer = isinstance(manifest["format"], int) and manifest["format"] > FORMAT
        way = "take the edgeopt that wrote it, or a later one" if newer else "compile it again"
        raise EdgeoptError(f"'{directory}' has format {manifest['format']}{made}; edgeopt {__version__} reads {FORMAT}: {way}")
    if manifest.get("digest") != digest(manifest):
        raise EdgeoptError(f"'{path}' is damaged (its checksum differs from its content); compile the model again")
    return manifest


def check_sealed(directory: Path, manifest: Manifest) -> None:
    """Raise EdgeoptError for a manifest whose fields make no sense."""
    try:
        check_manifest(manifest)
    except EdgeoptError as error:
        raise EdgeoptError(f"'{directory}': {error}; compile the model again") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one mapping")
    return found


def digest(manifest: Mapping[str, Any]) -> str:
    """The checksum of everything else in the manifest."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def checked_file(path: Path, size: int, checksum: str) -> memoryview:
    """The content of a file that has this size and this SHA-256. Raises EdgeoptError for any other."""
    with open_regular(path, follow=False) as stream:
        if os.fstat(stream.fileno()).st_size != size:
            raise EdgeoptError(f"'{path}' is damaged (its size differs from the manifest); compile the model again")
        try:
            data = aligned(size)
            read = stream.readinto(data)  # type: ignore[attr-defined]
        except (OSError, ValueError, MemoryError, OverflowError) as error:
            raise EdgeoptError(f"cannot read '{path}': {error or 'not enough memory'}") from error
    if read != len(data) or hashlib.sha256(data).hexdigest() != checksum:
        raise EdgeoptError(f"'{path}' is damaged (its checksum differs from the manifest); compile the model again")
    return data
