"""Several variants of a network in one folder: equal tensors are stored once, and each input chooses a variant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeopt import __version__, arguments
from edgeopt.errors import EdgeoptError
from edgeopt.explore.pieces import Pieces, Places, cuts, joined
from edgeopt.explore.selector import Selector, Variant
from edgeopt.files import read_regular
from edgeopt.ir import Array
from edgeopt.runtime.artifact import check_sealed, checked_file, digest, opened, parsed, sealed
from edgeopt.runtime.folder import put
from edgeopt.runtime.manifest import Manifest
from edgeopt.runtime.marks import MANIFEST, MANIFEST_LIMIT, MARK, PACK_FORMAT, REPORT, REPORT_RECORD
from edgeopt.runtime.model import CompiledModel
from edgeopt.runtime.reading import CODED, WEIGHTS

PIECES = "pieces.bin"


@dataclass(frozen=True)
class Sizes:
    """Bytes of the variants ``apart``, each a folder of its own without its report, of the ``pack``, and of ``weights`` that more

    than one variant has and the pack stores once.
    """

    apart: int
    pack: int
    shared_weights: int
    weights: int


class Pack:
    """Variants that were read; each is checked and opened at first need.

    ``names`` are in the order of the variants: the last is the most accurate.
    """

    def __init__(self, directory: Path, manifest: Manifest, content: memoryview) -> None:
        self._directory, self._content = directory, content
        self._entries: dict[str, Mapping[str, Any]] = {v["name"]: v for v in manifest["variants"]}
        self._models: dict[str, CompiledModel] = {}
        variants = [Variant(**entry["variant"]) for entry in manifest["variants"]]
        self.selector = Selector(variants, float(manifest["share"]), self.model)
        self.names = tuple(self._entries)

    def model(self, name: str) -> CompiledModel:
        """The compiled model of a variant. Raises EdgeoptError for a name that is none, and for damage."""
        arguments.choice("name", name, self.names)
        if name not in self._models:
            self._models[name] = self._opened(self._entries[name]["files"])
        return self._models[name]

    def _opened(self, files: Mapping[str, Places]) -> CompiledModel:
        manifest = parsed(self._directory, bytes(self._file(files, MANIFEST)))
        check_sealed(self._directory, manifest)

        def read(name: str) -> memoryview:
            data = self._file(files, name)
            if len(data) != manifest["sizes"][name] or hashlib.sha256(data).hexdigest() != manifest["checksums"][name]:
                raise EdgeoptError(f"'{self._directory}' is damaged ({name} of a variant differs); pack it again")
            return data

        return opened(manifest, read)

    def _file(self, files: Mapping[str, Places], name: str) -> memoryview:
        try:
            return joined(self._content, files[name])
        except (KeyError, TypeError, ValueError, MemoryError, OverflowError) as error:
            raise EdgeoptError(f"'{self._directory}' is damaged ({name} of a variant is not there); pack it again") from error

    def run(self, inputs: Mapping[str, Array], deadline: float | None = None) -> dict[str, Array]:
        """The outputs of the variant that is chosen for the one sample in ``inputs``, within ``deadline`` seconds if one is."""
        return self.selector.run(inputs, deadline)


def save_pack(models: Sequence[CompiledModel], selector: Selector, directory: str | Path) -> Sizes:
    """Write ``models``, which are those of the selector's variants in their order, as one folder.

    Raises EdgeoptError when that fails, or something lies there that is no compiled model.
    """
    pieces, alone, seen = Pieces(), 0, Shares()
    entries: list[dict[str, Any]] = []
    for model, variant in zip(models, selector.variants, strict=True):
        files = {name: data for name, data in model.files.items() if name not in (REPORT, REPORT_RECORD)}
        manifest = sealed(model.manifest, files)
        alone += len(manifest) + sum(map(len, files.values()))
        coded = model.manifest["storage"]["coding"] == CODED
        at = {WEIGHTS: cuts(files[WEIGHTS]) if coded else []}
        seen.count(files[WEIGHTS], at[WEIGHTS])
        places = {name: pieces.add(data, at.get(name, ())) for name, data in {**files, MANIFEST: manifest}.items()}
        entries.append({"name": variant.folder, "files": places, "variant": asdict(variant)})
    content = pieces.content()
    whole: Manifest = {"artifact": MARK, "format": PACK_FORMAT, "edgeopt": __version__, "share": selector.share}
    whole |= {"variants": entries, "sizes": {PIECES: len(content)}}
    whole["checksums"] = {PIECES: hashlib.sha256(content).hexdigest()}
    whole["digest"] = digest(whole)
    text = (json.dumps(whole) + "\n").encode()
    put(Path(directory), {PIECES: content, MANIFEST: text})
    return Sizes(alone, len(content) + len(text), seen.shared, seen.all)


class Shares:
    """Bytes of weights of all variants, and those of them that an earlier one had already."""

    def __init__(self) -> None:
        self._pieces, self.all, self.shared = Pieces(), 0, 0

    def count(self, file: bytes | memoryview, at: Sequence[int]) -> None:
        """One more file of weights."""
        before = self._pieces.size
        self._pieces.add(file, at)
        self.all += len(file)
        self.shared += len(file) - (self._pieces.size - before)


def load_pack(directory: str | Path) -> Pack:
    """Read a folder that ``edgeopt select --pack`` wrote, and compare it with its checksums.

    It holds native code: load only what you trust. Raises EdgeoptError for what is no such folder, or damaged.
    """
    arguments.instance("directory", directory, (str, Path))
    folder = Path(directory)
    manifest = parsed(folder, read_regular(folder / MANIFEST, MANIFEST_LIMIT, f"'{folder}' is no pack of models"))
    if manifest["format"] != PACK_FORMAT:
        raise EdgeoptError(f"'{folder}' holds one model, no pack: edgeopt.load opens it")
    try:
        content = checked_file(folder / PIECES, manifest["sizes"][PIECES], manifest["checksums"][PIECES])
        return Pack(folder, manifest, content)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise EdgeoptError(f"'{folder}' is no pack of models: {error}") from error
