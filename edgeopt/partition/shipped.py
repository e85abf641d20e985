"""A plan that was written to disk, as the machines that run it read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular
from edgeopt.ir import VerificationError, numpy_dtype
from edgeopt.partition.codes.wire import Wire, read_codes
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.served import Signature

FORMAT, FILE = "edgeopt-plan-1", "plan.json"  # here, since machines that run a plan need nothing that compiles one
LIMIT = 64 << 20  # bytes of plan.json


@dataclass(frozen=True)
class ShippedVariant:
    """One placement: the folder of each part by its tier, what goes up and down each link, expected seconds behind the first."""

    parts: dict[str, str]
    up: tuple[tuple[Signature, ...], ...]
    down: tuple[tuple[Signature, ...], ...]
    beyond: float


@dataclass(frozen=True)
class Decision:
    """The ``variant`` that is best when the first link runs at ``rate`` times its planned speed, and servers at ``load``."""

    rate: float
    load: float
    variant: int


@dataclass(frozen=True)
class Shipped:
    """The plan in ``folder``: ``tiers`` by name from the device outwards.

    ``up`` and ``down`` bytes per second and ``round_trip`` seconds are planned of the first link. ``wire`` codes what goes up.
    """

    folder: Path
    tiers: tuple[str, ...]
    up: float
    down: float
    round_trip: float
    variants: tuple[ShippedVariant, ...]
    table: tuple[Decision, ...]
    wire: Wire = Wire()

    def place(self, tier: str) -> int:
        """The position of ``tier``. Raises EdgeoptError for one the plan has not."""
        if tier not in self.tiers:
            raise EdgeoptError(f"'{self.folder}' has no tier '{tier}'; there are {', '.join(self.tiers)}")
        return self.tiers.index(tier)

    def part(self, variant: int, tier: str, key: Path | None = None) -> CompiledModel | None:
        """What ``tier`` computes in ``variant``, if anything; ``key`` is the public key it must be signed with."""
        name = self.variants[variant].parts.get(tier)
        return None if name is None else load(self.folder / name, key)


def load_plan(folder: str | Path) -> Shipped:
    """Read plan.json. Raises EdgeoptError for a folder that holds none, or one that is damaged."""
    path = Path(folder) / FILE
    try:
        record = json.loads(read_regular(path, LIMIT))
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
        return _shipped(Path(folder), record)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, VerificationError) as error:
        raise EdgeoptError(
            f"'{path}' is no plan ({error!r}); 'edgeopt partition MODEL.onnx --tiers FILE -o DIR' writes one"
        ) from error


def _shipped(folder: Path, record: dict[str, Any]) -> Shipped:
    types = {name: Signature(name, numpy_dtype(t["dtype"]), tuple(map(int, t["shape"]))) for name, t in record["tensors"].items()}
    variants = tuple(_variant(row, types, len(record["links"])) for row in record["variants"])
    table = tuple(Decision(float(row["rate"]), float(row["load"]), int(row["variant"])) for row in record["table"])
    if not variants or not all(0 <= row.variant < len(variants) for row in table):
        raise ValueError("its table names variants that it does not have")
    link = record["links"][0] if record["links"] else {"up": 1.0, "down": 1.0, "round_trip": 0.0}
    rates = (float(link["up"]), float(link["down"]), float(link["round_trip"]))
    wire = read_codes(folder, record.get("codes", {}))
    return Shipped(folder, tuple(str(tier["name"]) for tier in record["tiers"]), *rates, variants, table, wire)


def _variant(row: dict[str, Any], types: dict[str, Signature], links: int) -> ShippedVariant:
    up, down = ([tuple(types[name] for name in names) for names in row[way]] for way in ("up", "down"))
    if len(up) != links or len(down) != links:
        raise ValueError("a variant does not say what crosses each link")
    for part in row["parts"].values():
        if Path(part).name != part:
            raise ValueError(f"the part {part!r} is no folder of the plan")
    return ShippedVariant(dict(row["parts"]), tuple(up), tuple(down), float(row["beyond"]))
