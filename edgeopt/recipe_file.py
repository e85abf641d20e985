"""TOML files of recipes: found by name among those that are shipped, or by path, and checked for what they may say."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeopt.errors import EdgeoptError, UnknownName, meant
from edgeopt.files import read_regular

LIMIT = 1 << 20


def in_folder(folder: Path) -> dict[str, Path]:
    """The recipes in ``folder``, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_content(name: str | Path, known: Mapping[str, Path]) -> dict[str, Any]:
    """What the recipe called ``name`` among the ``known`` ones, or that of a file, says.

    Raises UnknownName for one that is not there, EdgeoptError for one that is no TOML.
    """
    path = known.get(str(name), Path(name))
    if path.suffix != ".toml":
        asked = meant(str(name), known)
        there = f"{'There' if asked else 'there'} are {', '.join(known)}, or give a FILE.toml"
        raise UnknownName(f"unknown recipe '{name}'; {asked}{there}")
    try:
        return tomllib.loads(bytes(read_regular(path, LIMIT)).decode())
    except RecursionError as error:
        raise EdgeoptError(f"recipe '{name}' has tables or lists that lie too deep inside each other") from error
    except ValueError as error:
        raise EdgeoptError(f"recipe '{name}' is no TOML: {error}") from error


def require_known(where: str, table: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Raise EdgeoptError for a key of ``table`` that is none of ``keys``."""
    unknown = sorted(set(table) - set(keys))
    if unknown:
        raise EdgeoptError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(keys)}")


def tables_of(where: str, content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The tables ``[[key]]``, of which there must be one. Raises EdgeoptError without any."""
    tables = content.get(key, [])
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise EdgeoptError(f"{where}: there is no table [[{key}]]")
    return tables
