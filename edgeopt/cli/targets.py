"""``edgeopt targets``: the processors edgeopt compiles for."""

from __future__ import annotations

from dataclasses import asdict

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table


@click.command()
@options.as_json
def targets(as_json: bool) -> None:
    """List the targets with their facts."""
    from edgeopt.target import builtin, host

    known = [host(), *builtin().values()]
    if as_json:
        answer({t.name: asdict(t) for t in known})
        return
    columns = ("name", "vector bytes", "8-bit dot", "look-up", "L1 kB", "L2 kB", "cores", "description")
    rows = [
        (t.name, t.vector_bytes, t.dot4 or "-", t.lookup or "-", t.l1 >> 10, t.l2 >> 10, t.cores, t.description) for t in known
    ]
    print_table(columns, rows, numbers=(1, 4, 5, 6))
