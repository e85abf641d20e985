"""A plan that was written to disk, as the machines that run it read it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular
from edgeopt.ir import VerificationError, numpy_dtype
from edgeopt.partition.codes.wire import Wire, read_codes
from edgeopt.partition.early import Early
from edgeopt.partition.identity import checked, served
from edgeopt.runtime.artifact import load
from edgeopt.runtime.model import CompiledModel
from edgeopt.serve.served import Signature

FORMAT, FILE = "edgeopt-plan-1", "plan.json"  # here, since machines that run a plan need nothing that compiles one
LIMIT = 64 << 20  # bytes of plan.json


@dataclass(frozen=True)
class ShippedVariant:
    """One placement: the folder of each part by its tier, what goes up and down each link, expected seconds behind the first.

    ``early`` names, for each output of the model, the output of the device's part that is the answer of its last exit.
    """

    parts: dict[str, str]
    up: tuple[tuple[Signature, ...], ...]
    down: tuple[tuple[Signature, ...], ...]
    beyond: float
    early: dict[str, str] = field(default_factory=dict)

    def uses(self, link: int) -> bool:
        """Whether anything crosses ``link``; what is computed of constants alone beyond it only comes back."""
        return any(names for way in (self.up, self.down) for names in way[link : link + 1])


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
    ``early`` are the exits of its parts, if they have any. ``identity`` tells it from other plans.
    """

    folder: Path
    tiers: tuple[str, ...]
    up: float
    down: float
    round_trip: float
    variants: tuple[ShippedVariant, ...]
    table: tuple[Decision, ...]
    wire: Wire = Wire()
    early: Early | None = None
    identity: str = ""

    def name(self, variant: int) -> str:
        """The name under which servers offer a variant, which those of another plan do not have."""
        return served(f"variant-{variant}", self.identity)

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
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, VerificationError) as error:
        raise EdgeoptError(
            f"'{path}' is no plan ({error!r}); 'edgeopt partition MODEL.onnx --tiers FILE -o DIR' writes one"
        ) from error


def _shipped(folder: Path, record: dict[str, Any]) -> Shipped:
    tiers, links = tuple(str(tier["name"]) for tier in record["tiers"]), record["links"]
    if len(set(tiers)) != len(tiers) or len(links) != len(tiers) - 1:
        raise ValueError(f"it has {len(tiers)} tiers and {len(links)} links")
    types = {str(name): _signature(str(name), row) for name, row in record["tensors"].items()}
    variants = tuple(_variant(row, types, tiers) for row in record["variants"])
    table = tuple(Decision(_above(row["rate"]), _above(row["load"]), int(row["variant"])) for row in record["table"])
    if not variants or not all(0 <= row.variant < len(variants) for row in table):
        raise ValueError("its table names variants that it does not have")
    link = links[0] if links else {"up": 1.0, "down": 1.0, "round_trip": 0.0}
    rates = (_above(link["up"]), _above(link["down"]), _seconds(link["round_trip"]))
    wire = read_codes(folder, record.get("codes", {}))
    return Shipped(folder, tiers, *rates, variants, table, wire, _early(record), checked(record.get("identity", "")))


def _early(record: dict[str, Any]) -> Early | None:
    values = tuple(map(str, record.get("exits", [])))
    return Early(str(record["outputs"][0]), values) if values else None


def _signature(name: str, row: dict[str, Any]) -> Signature:
    shape = tuple(map(int, row["shape"]))
    if any(dim < 0 for dim in shape):
        raise ValueError(f"the tensor '{name}' has the shape {list(shape)}")
    return Signature(name, numpy_dtype(row["dtype"]), shape)


def _variant(row: dict[str, Any], types: dict[str, Signature], tiers: Sequence[str]) -> ShippedVariant:
    up, down = ([tuple(types[name] for name in names) for names in row[way]] for way in ("up", "down"))
    if len(up) != len(tiers) - 1 or len(down) != len(tiers) - 1:
        raise ValueError("a variant does not say what crosses each link")
    parts = {str(tier): str(part) for tier, part in row["parts"].items()}
    for tier, part in parts.items():
        if tier not in tiers or Path(part).name != part or part in ("", ".."):
            raise ValueError(f"the part {part!r} of {tier!r} is no folder of the plan")
    early = {str(name): str(answer) for name, answer in row.get("early", {}).items()}
    if not set(early) <= set(types):
        raise ValueError(f"an exit answers for {', '.join(sorted(early))}, which the model does not have")
    return ShippedVariant(parts, tuple(up), tuple(down), _seconds(row["beyond"]), early)


def _seconds(value: Any) -> float:
    """A time, or another number from 0. Raises ValueError for what is none, and TypeError or OverflowError as ``float``."""
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{number} stands where a number from 0 should")
    return number


def _above(value: Any) -> float:
    """The same of a number that others are divided by, or whose logarithm is taken."""
    number = _seconds(value)
    if not number:
        raise ValueError("0 stands where a number above 0 should")
    return number
