"""``edgeopt targets``: the processors edgeopt compiles for."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import print_table

if TYPE_CHECKING:
    from edgeopt.target import Target


@click.command()
@click.option("--board", metavar="NAME", help="A board, as a target with its flash and RAM; 'all' lists them.")
@options.as_json
def targets(board: str | None, as_json: bool) -> None:
    """List the targets with their facts."""
    from edgeopt.target import boards, builtin, host, target

    if board is not None:
        chosen = list(boards().values()) if board == "all" else [target(board)]
        return _boards(chosen, as_json)
    known = [host(), *builtin().values()]
    if as_json:
        answer({t.name: asdict(t) for t in known})
        return None
    columns = ("name", "vector bytes", "8-bit dot", "look-up", "L1 KiB", "L2 KiB", "cores", "description")
    rows = [
        (t.name, t.vector_bytes, t.dot4 or "-", t.lookup or "-", t.l1 >> 10, t.l2 >> 10, t.cores, t.description) for t in known
    ]
    print_table(columns, rows, numbers=(1, 4, 5, 6))
    return None


def _boards(chosen: list[Target], as_json: bool) -> None:
    if as_json:
        answer({t.name: asdict(t) for t in chosen})
        return None
    rows = [(t.name, t.cpu, t.flash >> 10, t.ram >> 10, round(t.frequency / 1e6), t.description) for t in chosen]
    return print_table(("name", "cpu", "flash KiB", "RAM KiB", "MHz", "description"), rows, numbers=(2, 3, 4))
