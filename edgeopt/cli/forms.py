"""``edgeopt forms``: what layers can become."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table

if TYPE_CHECKING:
    from edgeopt.forms.form import Technique


@click.command()
@options.as_json
def forms(as_json: bool) -> None:
    """List the techniques that change layers within a budget, and the forms of each: 16x4-{50,75} are 16x4-50 and 16x4-75."""
    from edgeopt.forms.registry import techniques

    rows = [
        {"name": t.name, "axis": t.axis, "first": t.first(), "forms": list(t.form_keys()), "about": t.about}
        for t in techniques().values()
    ]
    if as_json:
        answer({"techniques": rows})
        return
    print_table(("technique", "changes", "forms", "what it does"), [_row(t) for t in techniques().values()])


def _row(technique: Technique) -> tuple[str, str, str, str]:
    first = technique.first()
    others = [key for key in technique.form_keys() if key != first]
    return technique.name, technique.axis, ", ".join([f"{first} (first)", *folded(others)]), technique.about


def folded(keys: Sequence[str]) -> list[str]:
    """Forms that differ only in the number at their end together, as in ``16x4-{50,75}``."""
    families: dict[str, list[str]] = {}
    for key in keys:
        number = re.search(r"\d+$", key)
        families.setdefault(key[: number.start()] if number else key, []).append(number[0] if number else "")
    return [stem + (f"{{{','.join(ends)}}}" if len(ends) > 1 else ends[0]) for stem, ends in families.items()]
