"""Where does every byte of a compiled model go?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeopt import arguments
from edgeopt.errors import EdgeoptError
from edgeopt.runtime.artifact import load
from edgeopt.runtime.marks import MANIFEST, REPORT, REPORT_RECORD, SIGNATURE
from edgeopt.runtime.object_code import CODE, PACKED_CODE
from edgeopt.runtime.reading import MODEL, WEIGHTS

_WHAT = {
    CODE: "code for this process",
    PACKED_CODE: "code for this process, packed",
    "libmodel.a": "code of the C library",
    "libmodel.so": "code of the C library, shared",
    MODEL: "the optimized model",
    MANIFEST: "manifest",
    REPORT: "report",
    REPORT_RECORD: "what the report is made of",
    SIGNATURE: "signature",
}


@dataclass(frozen=True)
class TensorBytes:
    """A tensor of the file of weights: bytes before coding, in the file, and in memory once it is loaded."""

    name: str
    elements: int
    bytes: int
    stored: int
    loaded: int
    coding: str

    @property
    def bits(self) -> float:
        """Bits of the file for an element."""
        return 8 * self.stored / self.elements if self.elements else 0.0


@dataclass(frozen=True)
class ArtifactBytes:
    """``tensors`` of ``weights.bin`` and what describes it (``heads``); other ``files`` as (name, what it is, bytes).

    ``source`` are the bytes of the model it was compiled from (None: unknown); ``memory`` what it takes once it is loaded.
    """

    tensors: tuple[TensorBytes, ...]
    heads: int
    files: tuple[tuple[str, str, int], ...]
    source: int | None
    memory: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes of the whole artifact."""
        return sum(tensor.stored for tensor in self.tensors) + self.heads + sum(size for _, _, size in self.files)


def stored_bytes(directory: str | Path) -> ArtifactBytes:
    """The bytes of a compiled model on disk. Raises EdgeoptError for a directory that holds none."""
    arguments.instance("directory", directory, (str, Path))
    folder = Path(directory)
    if not folder.is_dir():
        raise EdgeoptError(f"'{folder}' is not a compiled model; compile it first: edgeopt compile {folder} -o DIR")
    manifest = load(folder).manifest
    storage = manifest["storage"]
    tensors = tuple(TensorBytes(**tensor) for tensor in storage["tensors"])
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    files = tuple((name, _WHAT.get(name, "for an embedded project"), size) for name, size in sizes.items() if name != WEIGHTS)
    heads = sizes[WEIGHTS] - sum(tensor.stored for tensor in tensors)
    memory = {"weights": manifest["weights_bytes"], "arena": manifest["arena_bytes"], "scratch": manifest["scratch_bytes"]}
    return ArtifactBytes(tensors, heads, files, manifest["source_bytes"], memory)
