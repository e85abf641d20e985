"""Which tensors of a plan travel coded, and how they are turned into messages and back on every tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeopt.ir import Array
from edgeopt.partition.codes.code import BoundaryCode
from edgeopt.partition.codes.message import most, pack, unpack
from edgeopt.partition.codes.stored import read, write
from edgeopt.serve.served import Signature


@dataclass(frozen=True)
class Wire:
    """``codes`` by the name of the tensor, each with its digest, which every message names."""

    codes: Mapping[str, tuple[BoundaryCode, int]] = field(default_factory=dict)

    def signature(self, plain: Signature) -> Signature:
        """What crosses in place of ``plain``."""
        if plain.name not in self.codes:
            return plain
        return Signature(plain.name, np.dtype(np.uint8), (-1,), most(self.codes[plain.name][0]))

    def sent(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """``arrays`` as they cross a link."""
        return {name: pack(*self.codes[name], array) if name in self.codes else array for name, array in arrays.items()}

    def received(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """``arrays`` as they were before they crossed. Raises CodeError for one that is damaged."""
        return {name: unpack(*self.codes[name], array) if name in self.codes else array for name, array in arrays.items()}


def write_codes(folder: Path, codes: Mapping[str, BoundaryCode]) -> dict[str, dict[str, Any]]:
    """Write a file for each of ``codes`` into ``folder``; what ``read_codes`` wants to know of them."""
    return {name: write(folder / f"code-{number}.npz", code) for number, (name, code) in enumerate(codes.items())}


def read_codes(folder: Path, record: Mapping[str, dict[str, Any]]) -> Wire:
    """The codes of a plan. Raises EdgeoptError for a missing or damaged file, KeyError for a record that lacks something."""
    return Wire({str(name): (read(folder, row), int(row["digest"])) for name, row in record.items()})
