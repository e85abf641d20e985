"""Does a model with approximate layers keep the budget that it was compiled for?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.examine.evaluation import eval as evaluate
from edgeopt.frontend.model_file import file_digest
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.reading import MODEL

FLOAT = "float32"
MAX_DROP = 1.0  # percentage points, of a model that was compiled without data


@dataclass(frozen=True)
class Kept:
    """``drop`` percentage points are lost of ``max_drop`` that may be."""

    drop: float
    max_drop: float

    @property
    def passed(self) -> bool:
        """Whether that is within the budget."""
        return self.drop <= self.max_drop


def approximation(manifest: Manifest) -> Any:
    """What was decided about the layers of an approximate model; None of an exact one."""
    record = manifest.get("quantization")
    changed = record is not None and any(layer["form"] != FLOAT for layer in record["layers"])
    return record if changed else None


def measured(original: Path, model: CompiledModel, data: Path, max_drop: float | None, engine: str | None, emulate: bool) -> Kept:
    """What is lost on ``data``: of accuracy with labels, of equal decisions without."""
    allowed = _allowed(model.manifest, max_drop)
    found = evaluate(model, data, against=original, max_drop=allowed, engine=engine, emulate=emulate)
    assert found.drop is not None
    return Kept(found.drop.percent, allowed)


def recorded(original: Path, model: CompiledModel, max_drop: float | None) -> Kept:
    """What was lost on the data that it was compiled with.

    Raises EdgeoptError where there was none, and for another original than the one it was compiled from: random numbers would
    say nothing of either.
    """
    record = approximation(model.manifest)
    if not record["samples"]:
        raise EdgeoptError("the model was made approximate without data, so its loss is not known; give --input with samples")
    if model.manifest.get("source_digest") != file_digest(original):
        raise EdgeoptError(f"the model was not compiled from '{original}' as it is now; give --input with samples")
    return Kept(record["before"] - record["after"], _allowed(model.manifest, max_drop))


def inside(model: CompiledModel, folder: Path) -> Path | None:
    """The model in the artifact as a file, whose numbers the code must give; None where it was left out."""
    if MODEL not in model.files:
        return None
    path = folder / MODEL
    path.write_bytes(model.onnx().SerializeToString())
    return path


def _allowed(manifest: Manifest, max_drop: float | None) -> float:
    if max_drop is not None:
        return max_drop
    known = approximation(manifest).get("max_drop")
    return MAX_DROP if known is None else float(known)
