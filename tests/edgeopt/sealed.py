"""Artifacts whose manifest was changed and sealed again with right checksums, as an attacker or a broken tool would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]


def sealed(folder: Path, change: Callable[[Manifest], object]) -> None:
    """Apply ``change`` to the manifest in ``folder`` and make its digest right."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    content = {key: value for key, value in manifest.items() if key != "digest"}
    manifest["digest"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(manifest))


def swapped(folder: Path, name: str, data: bytes) -> None:
    """Put ``data`` in the place of a file of the artifact, and seal it."""
    (folder / name).write_bytes(data)

    def note(manifest: Manifest) -> None:
        manifest["checksums"][name] = hashlib.sha256(data).hexdigest()
        manifest["sizes"][name] = len(data)

    sealed(folder, note)
