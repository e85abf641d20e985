"""Which plan or split machines run: parts of different ones have the same names and shapes, and would answer wrongly together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeopt.files import read_regular
from edgeopt.runtime.marks import MANIFEST, MANIFEST_LIMIT

LENGTH = 12  # hexadecimal digits


def identity(folder: Path, parts: Iterable[str], besides: Any = None) -> str:
    """A digest of the compiled ``parts`` in ``folder``, and of what JSON says ``besides``."""
    digests = {part: json.loads(read_regular(folder / part / MANIFEST, MANIFEST_LIMIT))["digest"] for part in sorted(parts)}
    return hashlib.sha256(json.dumps([digests, besides], sort_keys=True).encode()).hexdigest()[:LENGTH]


def served(name: str, identity: str) -> str:
    """The name under which servers offer the part ``name``, and clients ask for it."""
    return f"{name}-{identity}" if identity else name


def checked(found: Any) -> str:
    """An identity that was read. Raises ValueError for what is none; it becomes a part of a path."""
    if not isinstance(found, str) or not (found.isascii() and (found.isalnum() or not found)):
        raise ValueError(f"{found!r} is no identity")
    return found
