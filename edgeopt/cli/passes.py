"""``edgeopt passes``: the pipeline, in its order."""

from __future__ import annotations

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table


@click.command()
@options.as_json
def passes(as_json: bool) -> None:
    """List the passes in the order they run from -O1 on, and why they are there."""
    from edgeopt.pipeline import LAST, PIPELINE

    rows = [{"name": s.pass_.name, "contract": s.pass_.contract, "why": s.why} for s in (*PIPELINE, *LAST)]
    if as_json:
        answer({"passes": rows})
        return
    print_table(("pass", "contract", "why"), [(r["name"], r["contract"], r["why"]) for r in rows])
