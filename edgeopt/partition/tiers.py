"""Where parts of a network can run: tiers from the device to the cloud, and the links between neighbours, from a TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from edgeopt.errors import EdgeoptError
from edgeopt.files import read_regular

LIMIT = 1 << 20  # bytes of a file that describes tiers
MOST = 1e15  # of any number there; prices are products and quotients of several, which must stay finite
POSITIVE = ("load", "up", "down", "availability")
Row = TypeVar("Row", "Tier", "Link")
_SAMPLES = resources.files("edgeopt.partition").joinpath("samples")


@dataclass(frozen=True)
class Tier:
    """A kind of machine. ``target`` names its processor for the compiler and the cost model.

    ``load`` multiplies every time on it: 2 for a server that serves another client as busy as this one. ``watts`` is its power
    while it computes (0: the cost model's energy of the operations); ``idle_watts`` while it waits. Energy is counted on tiers
    with a ``battery``. ``profile`` is a file of times measured there, beside the TOML file; without one times are estimated.
    """

    name: str
    target: str
    load: float = 1.0
    watts: float = 0.0
    idle_watts: float = 0.0
    battery: bool = False
    profile: str = ""
    source: str = ""


@dataclass(frozen=True)
class Link:
    """A connection between two neighbouring tiers, seen from the one nearer to the device.

    ``up`` and ``down`` are bytes per second that arrive, ``round_trip`` seconds that a request costs whatever its size, watts
    what the radio draws while it sends and receives, ``availability`` the share of time in which the link works.
    """

    name: str
    up: float
    down: float
    round_trip: float = 0.0
    up_watts: float = 0.0
    down_watts: float = 0.0
    availability: float = 1.0
    source: str = ""


@dataclass(frozen=True)
class Tiers:
    """Tiers from the device outwards, and ``links[i]`` between tier i and tier i + 1."""

    tiers: tuple[Tier, ...]
    links: tuple[Link, ...]

    def __len__(self) -> int:
        return len(self.tiers)


def load_tiers(source: str | Path) -> Tiers:
    """Read a TOML file with tables [[tier]] and [[link]], or a sample that ships with edgeopt, by its name.

    Raises EdgeoptError for an unreadable file, an unknown key, and numbers that make no sense.
    """
    path = Path(source)
    text = _sample(str(source)) if str(source) in samples() else None
    if text is None and not path.exists():
        raise EdgeoptError(f"there is no file of tiers '{source}', and no sample of that name; there are {', '.join(samples())}")
    try:
        table = tomllib.loads(text if text is not None else read_regular(path, LIMIT).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise EdgeoptError(f"cannot read the file of tiers '{source}': {error}") from error
    return _from_table(table, str(source))


def samples() -> tuple[str, ...]:
    """The names of the samples that ship with edgeopt."""
    return tuple(sorted(entry.name[:-5] for entry in _SAMPLES.iterdir() if entry.name.endswith(".toml")))


def _sample(name: str) -> str:
    return _SAMPLES.joinpath(f"{name}.toml").read_text()


def _from_table(table: Mapping[str, Any], source: str) -> Tiers:
    unknown = set(table) - {"tier", "link"}
    if unknown:
        raise EdgeoptError(f"'{source}': unknown table {', '.join(sorted(unknown))}; a file of tiers has [[tier]] and [[link]]")
    tiers = tuple(_row(Tier, row, source, "tier") for row in _rows(table, "tier", source))
    links = tuple(_row(Link, row, source, "link") for row in _rows(table, "link", source))
    if not tiers:
        raise EdgeoptError(f"'{source}' has no [[tier]]; write one for each machine, the device first, and a [[link]] between")
    if len(links) != len(tiers) - 1:
        raise EdgeoptError(f"'{source}': {len(tiers)} tiers need {len(tiers) - 1} links between them, not {len(links)}")
    if len({tier.name for tier in tiers}) != len(tiers):
        raise EdgeoptError(f"'{source}': two tiers have the same name")
    return Tiers(tiers, links)


def _rows(table: Mapping[str, Any], key: str, source: str) -> list[dict[str, Any]]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise EdgeoptError(f"'{source}': '{key}' must be a list of tables, [[{key}]]")
    return rows


def _row(kind: type[Row], row: Mapping[str, Any], source: str, word: str) -> Row:
    named = {field.name: str(field.type) for field in fields(kind)}
    required = [f.name for f in fields(kind) if f.name in ("name", "target", "up", "down")]
    where = f"'{source}': {word} '{row.get('name', '?')}'"
    for key, value in row.items():
        if key not in named:
            raise EdgeoptError(f"{where} has an unknown key '{key}'; known are {', '.join(named)}")
        _check(f"{where}: {key}", value, named[key], key in POSITIVE, 1.0 if key == "availability" else MOST)
    for key in required:
        if key not in row:
            raise EdgeoptError(f"{where} lacks '{key}'")
    if not (row["name"].strip() and row["name"].isprintable()):
        raise EdgeoptError(f"{where} needs a name of printable characters")
    return kind(**row)


def _check(where: str, value: object, kind: str, positive: bool, most: float) -> None:
    if kind in ("str", "bool"):
        if type(value).__name__ != kind:
            raise EdgeoptError(f"{where} must be a {'text' if kind == 'str' else 'true or false'}, not {value!r}")
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -math.inf < value < math.inf:
        raise EdgeoptError(f"{where} must be a number, not {value!r}")
    if value < 0 or (positive and value == 0):
        raise EdgeoptError(f"{where} must be {'above' if positive else 'at least'} 0, not {value}")
    if value > most or (positive and value < 1 / MOST):
        raise EdgeoptError(f"{where} must be between {1 / MOST if positive else 0:g} and {most:g}, not {value}")
