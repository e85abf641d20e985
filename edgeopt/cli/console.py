"""Results go to stdout; progress and notes go to stderr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


def note(text: str) -> None:
    """One line on stderr."""
    click.echo(text, err=True)


@contextmanager
def working(text: str) -> Iterator[None]:
    """A spinner on stderr, when it is a terminal, for work that may take over a second."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "", numbers: Sequence[int] = ()) -> None:
    """Print a table on stdout; ``numbers`` are the columns to align right. Text is folded, never cut."""
    table = Table(title=title or None, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=160)).print(table)
