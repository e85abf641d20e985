"""How a command speaks: for people or as one JSON object, quietly or not. One Mode for each run of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

KEY = "edgeopt.mode"


@dataclass
class Mode:
    """``json``: nothing but one object goes to stdout. ``quiet`` leaves out notes, ``verbose`` adds what the library logs.

    ``notes`` are the lines that were said beside the result, ``result`` is what a command answers with; ``told`` is True once
    the object is printed.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    notes: list[str] = field(default_factory=list)
    result: Mapping[str, Any] | None = None
    told: bool = False


def mode() -> Mode:
    """The Mode of the command that runs; outside of one, that of a person who wants to see all."""
    context = click.get_current_context(silent=True)
    if context is None:
        return Mode()
    found: Mode = context.meta.setdefault(KEY, Mode())
    return found
