"""The one JSON object that every command prints with --json, whether it succeeds or fails: docs/json.md, schema.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeopt import __version__
from edgeopt.cli.console import write
from edgeopt.cli.mode import mode

SCHEMA = 1  # the version of the object; it grows when a field goes or changes its meaning
SCHEMA_FILE = Path(__file__).with_name("schema.json")
USAGE, FAILURE, INTERNAL = "usage", "failure", "internal"


def answer(result: Mapping[str, Any], now: bool = False) -> None:
    """Answer with ``result`` where --json asks for it: when the command ends, or ``now``, of a command that goes on."""
    mode().result = result
    if now:
        finish(0)


def finish(exit_code: int, kind: str = "", message: str = "") -> None:
    """Print the object where --json asks for one: once. ``kind`` and ``message`` are those of a failure."""
    found = mode()
    if not found.json or found.told:
        return
    found.told = True
    record = {
        "edgeopt": __version__,
        "schema": SCHEMA,
        "command": _command(),
        "ok": exit_code == 0,
        "exit_code": exit_code,
        "result": None if kind else found.result,
        "error": {"kind": kind, "message": message} if kind else None,
        "notes": found.notes,
    }
    write(json.dumps(_strict(record), indent=2, allow_nan=False))


def _command() -> str | None:
    """The name of the command; None where none was understood."""
    context = click.get_current_context(silent=True)
    root = None if context is None else context.find_root()
    return None if root is None else root.invoked_subcommand


def _strict(value: Any) -> Any:
    """``value`` as strict JSON holds it: NaN and infinity become null, paths text, tuples lists."""
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
