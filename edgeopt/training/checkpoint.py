"""Where a training is, on disk: written aside and put into place; what is killed at any moment goes on to the same result."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular, replacing
from edgeopt.ir import Array

LIMIT = 8 << 30


@dataclass
class Checkpoint:
    """``arrays`` of the state at ``step`` of a training whose ``identity`` says what is trained, how, and on what."""

    identity: str
    step: int
    arrays: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Store:
    """Where checkpoints lie, of which training, and how often they are written."""

    folder: Path
    identity: str
    seconds: float


def identity(parts: Sequence[Any]) -> str:
    """A hash of arrays, of bytes, and of all else by its text."""
    digest = hashlib.sha256()
    for part in parts:
        about = (part.shape, part.dtype) if isinstance(part, np.ndarray) else len(part) if isinstance(part, bytes) else part
        digest.update(repr(about).encode() + b";")
        if isinstance(part, (np.ndarray, bytes)):
            digest.update(part.tobytes() if isinstance(part, np.ndarray) else part)
    return digest.hexdigest()


def write(path: Path, made: Checkpoint) -> None:
    """Replace the checkpoint at ``path``. Raises EdgeoptError when it cannot be written."""
    arrays = {f"a{i}": array for i, array in enumerate(made.arrays)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        np.savez(stream, identity=np.array(made.identity), step=np.array(made.step), **arrays)  # type: ignore[arg-type]


def read(path: Path, wanted: str) -> Checkpoint | None:
    """The checkpoint at ``path``, None without one. Raises EdgeoptError for one that is broken or of another training."""
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(bytes(read_regular(path, LIMIT))), allow_pickle=False) as found:
            arrays = [found[f"a{i}"] for i in range(len(found.files) - 2)]
            made = Checkpoint(str(found["identity"]), int(found["step"]), arrays)
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        reason = error if isinstance(error, OSError) else "it is cut short or damaged"
        raise EdgeoptError(f"checkpoint '{path}' cannot be read: {reason}; remove it to start anew") from error
    if made.identity != wanted:
        raise EdgeoptError(f"checkpoint '{path}' is of another model, data or recipe; remove it to start anew")
    return made
