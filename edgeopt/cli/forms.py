"""``edgeopt forms``: what layers can become."""

from __future__ import annotations

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
    """List the techniques that change layers within a budget, and the forms that each of them has."""
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
    return technique.name, technique.axis, ", ".join([f"{first} (first)", *others]), technique.about
