"""Values in recipes of training, each with what it may be. All raise EdgeoptError that says where and what else."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from edgeopt.errors import EdgeoptError
from edgeopt.training.phases.prune import PATTERNS, WORTHS

MOST_BITS = 8  # of a code
WHOLE = {"bias_bits": (1, MOST_BITS), "places": (0, 1 << 16)}  # of phases


def number(where: str, table: Mapping[str, Any], key: str, otherwise: float) -> float:
    """A finite number from 0 on."""
    value = table.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value < 0:
        raise EdgeoptError(f"{where}: {key} = {value!r} is no number from 0 on")
    return float(value)


def whole(where: str, table: Mapping[str, Any], key: str, otherwise: int, least: int = 0, most: int = 1 << 31) -> int:
    """An integer from ``least`` to ``most``."""
    value = number(where, table, key, otherwise)
    if value != int(value) or not least <= value <= most:
        raise EdgeoptError(f"{where}: {key} = {table[key]!r} is no whole number from {least} to {most}")
    return int(value)


def word(where: str, key: str, value: Any, known: tuple[str, ...]) -> str:
    """One of the words that are ``known``."""
    if value not in known:
        raise EdgeoptError(f"{where}: {key} has no '{value}'; known are {', '.join(known)}")
    return str(value)


def table_of(where: str, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table ``[key]``; empty where there is none."""
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise EdgeoptError(f"{where}: {key} = {value!r} is no table [{key}]")
    return value


def words(where: str, content: Mapping[str, Any], key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """A list of words; empty where there is none."""
    value = content.get(key, [])
    if not isinstance(value, list):
        raise EdgeoptError(f"{where}: {key} = {value!r} is no list, as in {key} = [{known[0]!r}]")
    return tuple(word(where, key, each, known) for each in value)


def of_phase(where: str, name: str, table: Mapping[str, Any]) -> Any:
    """The field ``name`` of a phase."""
    value = table[name]
    if name in ("pattern", "worth"):
        return word(where, name, value, tuple(PATTERNS) if name == "pattern" else WORTHS)
    if name == "bits":
        bits = value if isinstance(value, dict) else {"*": value}
        return tuple((str(k), whole(where, {name: v}, name, 0, 1, MOST_BITS)) for k, v in bits.items())
    if name in WHOLE:
        return whole(where, table, name, 0, *WHOLE[name])
    made = number(where, table, name, 0.0)
    if name == "keep":
        _require_share(where, made, str(table.get("pattern", "")))
    return made


def _require_share(where: str, keep: float, pattern: str) -> None:
    window = PATTERNS[pattern].window if pattern in PATTERNS else 0
    if not 0 < keep <= 1:
        raise EdgeoptError(f"{where}: keep = {keep} is no share of the weights: above 0, and 1 at most")
    if window and round(keep * window) < 1:
        raise EdgeoptError(f"{where}: keep = {keep} leaves none of {window} neighbours; {1 / window} leaves one")
