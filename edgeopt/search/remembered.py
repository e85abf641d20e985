"""What a search measured, kept in the cache by all that it depends on: a search that was interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from typing import Any

import numpy as np

from edgeopt import cache
from edgeopt.evaluate.data import DataSet
from edgeopt.forms.form import Choice, Forms
from edgeopt.frontend import export
from edgeopt.ir import Array, Graph
from edgeopt.repeated import machine, sources


class Remembered:
    """Entries of one search, which is known by a digest ``about`` everything that its measurements depend on."""

    def __init__(self, about: str) -> None:
        self.about = about

    def recall(self, *what: object) -> Any:
        """The value that was kept under ``what``; None where there is none."""
        content = cache.read(self._entry(what))
        return None if content is None else json.loads(content)

    def keep(self, value: Any, *what: object) -> None:
        """Keep a value that JSON holds."""
        cache.keep(self._entry(what), json.dumps(value).encode())

    def _entry(self, what: tuple[object, ...]) -> str:
        name = hashlib.sha256(repr((self.about, what)).encode()).hexdigest()
        return f"trials/{name[:2]}/{name}.json"


def contents(graph: Graph, samples: Iterable[DataSet | None]) -> str:
    """A digest of the exact graph and of the samples."""
    made = hashlib.sha256(export(graph).SerializeToString(deterministic=True))
    for data in samples:
        for name, array in () if data is None else _named(data):
            made.update(repr((name, array.shape, array.dtype)).encode())
            made.update(np.ascontiguousarray(array).tobytes())
        made.update(b";")
    return made.hexdigest()


def _named(data: DataSet) -> Iterator[tuple[str, Array]]:
    """The arrays of inputs, and the labels by the output that they belong to: errors are measured there, without labels, too."""
    yield from data.arrays.items()
    yield f" {data.output}", np.empty(0) if data.labels is None else data.labels


def digest(graph: Graph, samples: Iterable[DataSet | None], more: object) -> str:
    """A digest of both, of edgeopt itself, this machine, and whatever else decides what is measured."""
    return hashlib.sha256(repr((contents(graph, samples), more, sources(), machine())).encode()).hexdigest()


def spelled(choice: Choice) -> str:
    """The forms of a choice as text that is the same in every process."""
    return " + ".join(sorted(f"{form.technique}:{form.key}" for form in choice))


def spelled_forms(forms: Forms) -> list[tuple[str, str]]:
    """Every layer with its choice."""
    return [(layer, spelled(choice)) for layer, choice in sorted(forms.items())]


def packed(array: Array) -> list[int]:
    """Whole numbers as JSON holds them."""
    return [int(value) for value in array]


def facts(*parts: Any) -> str:
    """The repr of dataclasses and plain values."""
    return repr([astuple(part) if hasattr(part, "__dataclass_fields__") else part for part in parts])
