"""Where a training is, on disk: written aside and put into place; what is killed at any moment goes on to the same result."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
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
    """``arrays`` of the state by name, at ``step`` of a training whose ``identity`` says what is trained, how, and on what."""

    identity: str
    step: int
    arrays: Mapping[str, Array] = field(default_factory=dict)


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
    arrays = {f"a{i}": array for i, array in enumerate(made.arrays.values())}
    about = {"identity": np.array(made.identity), "step": np.array(made.step), "names": np.array(list(made.arrays), str)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as stream:
        np.savez(stream, **about, **arrays)  # type: ignore[arg-type]


def read(path: Path, wanted: str) -> Checkpoint | None:
    """The checkpoint at ``path``, None without one. Raises EdgeoptError for one that is broken or of another training."""
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(bytes(read_regular(path, LIMIT))), allow_pickle=False) as found:
            arrays = {str(name): found[f"a{i}"] for i, name in enumerate(found["names"])}
            made = Checkpoint(str(found["identity"]), int(found["step"]), arrays)
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        reason = error if isinstance(error, OSError) else "it is cut short or damaged"
        raise EdgeoptError(f"checkpoint '{path}' cannot be read: {reason}; remove it to start anew") from error
    if made.identity != wanted:
        raise EdgeoptError(f"checkpoint '{path}' is of another model, data or recipe; remove it to start anew")
    return made


def require_like(path: Path, found: Checkpoint, wanted: Mapping[str, Array]) -> None:
    """Raise EdgeoptError unless the checkpoint at ``path`` holds arrays of the names and shapes of those that are ``wanted``."""
    there, here = ({name: array.shape for name, array in arrays.items()} for arrays in (found.arrays, wanted))
    odd = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
    if odd:
        raise EdgeoptError(f"checkpoint '{path}' does not fit this training, as in {odd[0]}; remove it to start anew")
