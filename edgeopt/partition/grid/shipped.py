"""A split that was written to disk, and running it: here, or with each tile on a neighbour."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular
from edgeopt.ir import Array
from edgeopt.partition.identity import checked, served
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.neighbours import Neighbours
from edgeopt.serve.remote import Unreachable
from edgeopt.serve.remotes import remote
from edgeopt.serve.served import ServedModel, Signature

FORMAT, FILE = "edgeopt-split-1", "split.json"
LIMIT = 1 << 20  # bytes of split.json
HERE = "device"
Spans = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Answer:
    """``outputs`` by name, and where each tile was computed: the address of a server, or the device."""

    outputs: dict[str, Array]
    where: dict[str, str]


class Tiled:
    """The split in ``folder``. With ``servers`` tile i is asked of server i first, and of the next one where that fails.

    A tile that nobody answers for is computed here. Parts are loaded when they are needed, so that a device with neighbours
    holds the rest alone. Raises EdgeoptError for a folder that holds no split.
    """

    def __init__(
        self,
        folder: str | Path,
        servers: Sequence[str] = (),
        token: str = "",
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._folder, self._key = Path(folder), key
        self._tiles, self._rest, self._identity = load_split(folder)
        self._models: dict[str, CompiledModel] = {}
        remotes = [remote(address, token, certificate) for address in servers]
        turns = [remotes[i % len(remotes) :] + remotes[: i % len(remotes)] for i in range(len(self._tiles)) if remotes]
        self._neighbours = dict(zip(self._tiles, map(Neighbours, turns), strict=False))
        self._signatures = {name: signature(self._model(name)) for name in self._neighbours}
        self._pool = ThreadPoolExecutor(max(len(self._neighbours), 1), "edgeopt-tile")

    def run(self, inputs: Mapping[str, Array], deadline: float = 30.0) -> Answer:
        """The model's outputs; servers have ``deadline`` seconds for all tiles.

        Raises EdgeoptError for inputs that do not fit; never for what happens to servers.
        """
        until = time.monotonic() + deadline
        run = self._pool.map if self._neighbours else map
        found = dict(zip(self._tiles, run(lambda name: self._tile(name, inputs, until), self._tiles), strict=True))
        known = {**inputs, **{name: array for name, (array, _) in found.items()}}
        rest = self._model(self._rest)
        outputs = rest.run({port.name: known[port.name] for port in rest.inputs if port.name in known})
        return Answer(outputs, {name: where for name, (_, where) in found.items()})

    def _tile(self, name: str, inputs: Mapping[str, Array], until: float) -> tuple[Array, str]:
        parts = {key: np.ascontiguousarray(_part(inputs, key, spans)) for key, spans in self._tiles[name].items()}
        if name in self._neighbours:
            try:
                reply, where = self._neighbours[name].infer(served(name, self._identity), parts, self._signatures[name], until)
                return reply.outputs[name], where
            except Unreachable:
                pass
        return self._model(name).run(parts)[name], HERE

    def _model(self, name: str) -> CompiledModel:
        if name not in self._models:
            self._models[name] = load(self._folder / f"{name}.edgeopt", self._key)
        return self._models[name]


def tiles_served(folder: Path, only: str | None, threads: int, key: Path | None = None) -> dict[str, ServedModel]:
    """What a neighbour serves: all tiles of the split in ``folder``, or the one called ``only``.

    Raises EdgeoptError for a folder that holds no split, or not that tile.
    """
    tiles, _, identity = load_split(folder)
    if only is not None and only not in tiles:
        raise EdgeoptError(f"'{folder}' has no tile '{only}'; there are {', '.join(tiles)}")
    names = tiles if only is None else (only,)
    return {served(name, identity): ServedModel(load(folder / f"{name}.edgeopt", key), threads) for name in names}


def load_split(folder: str | Path) -> tuple[dict[str, dict[str, Spans]], str, str]:
    """The part of each input that each tile needs, by name, the name of the rest, and what tells the split from others.

    Raises EdgeoptError for no split.
    """
    path = Path(folder) / FILE
    try:
        record = json.loads(read_regular(path, LIMIT))
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        tiles = {str(name): {str(k): _spans(v) for k, v in row.items()} for name, row in record["tiles"].items()}
        rest = str(record["rest"])
        if any(Path(name).name != name or not name for name in (*tiles, rest)):
            raise ValueError("a part of it lies elsewhere")
        return tiles, rest, checked(record.get("identity", ""))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        way = "'edgeopt partition MODEL.onnx --split grid -o DIR' writes one"
        raise EdgeoptError(f"'{path}' is no split ({error!r}); {way}") from error


def signature(model: CompiledModel) -> list[Signature]:
    """What the model gives."""
    return [Signature(port.name, port.dtype, port.shape) for port in model.outputs]


def _spans(rows: Any) -> Spans:
    (top, bottom), (left, right) = ((int(first), int(last)) for first, last in rows)
    if not (0 <= top < bottom and 0 <= left < right):
        raise ValueError(f"a tile has the rows {top} to {bottom} and the columns {left} to {right}")
    return (top, bottom), (left, right)


def _part(inputs: Mapping[str, Array], name: str, spans: Spans) -> Array:
    """Rows and columns of an input. Raises EdgeoptError when it is missing or too small."""
    array = inputs.get(name)
    (top, bottom), (left, right) = spans
    if not isinstance(array, np.ndarray) or array.ndim != 4 or array.shape[2] < bottom or array.shape[3] < right:
        raise EdgeoptError(f"input '{name}' is missing, or no map of at least {bottom}x{right} pixels")
    return array[:, :, top:bottom, left:right]
