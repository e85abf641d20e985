"""Results go to stdout; progress and notes go to stderr. Every text passes ``visible`` on its way to either."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from textwrap import wrap
from time import monotonic
from typing import Literal

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from edgeopt.cli.mode import mode
from edgeopt.cli.option_names import as_typed
from edgeopt.errors import EdgeoptError
from edgeopt.progress import Listener, listening

PATIENCE, NEWS = 5.0, 20.0  # seconds of work, and of a stage, of which nothing is said where there is no terminal
WIDTH, NAME = 80, 30  # columns of a table that no terminal shows, and of a name in it
GAP = 2  # between columns of a table
LEAST = 9  # columns; words up to that are not folded
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, halves of surrogates, line and paragraph separators


def visible(text: str, kept: str = "\n\t") -> str:
    """``text`` with the characters that steer a terminal or hide others written as escapes; those in ``kept`` stay.

    Names in a model are anybody's text: one of them may clear the screen, set its title or turn the direction of writing.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = (c if c in kept or unicodedata.category(c) not in _UNSEEN else c.encode("unicode_escape").decode() for c in text)
    return "".join(shown)


def write(text: str) -> None:
    """``text`` on stdout, whatever the mode."""
    with _standard_output():
        click.echo(visible(text))


def say(text: str) -> None:
    """A result on stdout; with --json it is part of the answer instead."""
    if not mode().json:
        write(text)


def note(text: str) -> None:
    """One line on stderr, which --quiet leaves out; when nobody can read it, the work goes on."""
    text = as_typed(text)
    mode().notes.append(text)
    if not mode().quiet:
        complain(text)


def warn(text: str) -> None:
    """One line on stderr that --quiet does not leave out."""
    text = f"warning: {as_typed(text)}"
    mode().notes.append(text)
    complain(text)


def complain(text: str) -> None:
    """One line on stderr, whatever the mode."""
    with suppress(OSError):
        click.echo(visible(text), err=True)


def working(text: str) -> AbstractContextManager[None]:
    """A spinner on stderr with the stage, for work that may take over a second; lines of stages where it is no terminal."""
    return _telling(text, _spinner)


def progressing(text: str) -> AbstractContextManager[None]:
    """A bar on stderr with the stage and the share of what is compiled meanwhile; lines where it is no terminal.

    It is drawn when there is news, by no thread of its own: the compiler forks, which a process with threads does not.
    """
    return _telling(text, _bar)


@contextmanager
def _telling(text: str, drawn: Callable[[Console, str], AbstractContextManager[Listener]]) -> Iterator[None]:
    """What is worked on meanwhile is ``drawn`` on a terminal, told in lines elsewhere, and not told with --quiet."""
    console = Console(stderr=True)
    if mode().quiet:
        yield
    elif not console.is_terminal:
        with listening(_Lines(text)):
            yield
    else:
        with drawn(console, text) as tell, listening(tell):
            yield


@contextmanager
def _spinner(console: Console, text: str) -> Iterator[Listener]:
    with console.status(Text(visible(text, kept=""))) as status:
        yield lambda stage, share: status.update(Text(visible(f"{text}: {stage}" if stage else text, kept="")))


@contextmanager
def _bar(console: Console, text: str) -> Iterator[Listener]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task = bar.add_task(visible(text, kept=""), total=1.0)

        def tell(stage: str, share: float) -> None:
            bar.update(task, description=visible(f"{text}: {stage}", kept=""), completed=share, refresh=True)

        yield tell


class _Lines:
    """Tells of each new stage in a line, once the work has taken some seconds from its first stage on, and now and then of it."""

    def __init__(self, text: str) -> None:
        self.text, self.told = text, ""
        self.begun: float | None = None
        self.last = 0.0

    def __call__(self, stage: str, share: float) -> None:
        """A listener."""
        now = monotonic()
        self.begun = now if self.begun is None else self.begun
        known = stage.partition(":")[0] == self.told.partition(":")[0]
        if stage != self.told and now - self.begun >= PATIENCE and (not known or now - self.last >= NEWS):
            self.told, self.last = stage, now
            complain(f"{self.text}: {stage} ({share:.0%})")


Count = Callable[[str, int, int], None]  # what is done, how many steps of it, of how many


@contextmanager
def counting() -> Iterator[Count | None]:
    """A bar on stderr with the time left, for work that counts its steps; None where that is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def tell(text: str, done: int, total: int) -> None:
            bar.update(task, description=visible(text, kept=""), completed=done, total=total, refresh=done % 10 == 0)

        yield tell


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "", numbers: Sequence[int] = ()) -> None:
    """Print a table on stdout, not with --json; ``numbers`` are the columns to align right.

    It is as wide as the terminal, or as ``WIDTH`` where there is none. Text is folded, never cut; numbers, and names in the first
    column that are no longer than ``NAME``, keep to one line where there is room for them.
    """
    if mode().json:
        return
    table = Table(
        title=Text(visible(title)) if title else None,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=WIDTH)
    cells = [[visible(str(cell), kept="") for cell in row] for row in rows]
    heads = [visible(column) for column in columns]
    heads = [_folded(head, [row[k] for row in cells]) if k in numbers else head for k, head in enumerate(heads)]
    named = bool(cells) and max(len(row[0]) for row in cells) <= NAME and _narrowest(heads, cells, numbers) <= console.width
    for index, head in enumerate(heads):
        whole, right = named and index == 0, index in numbers
        least = None if right else _least(row[index] for row in cells)
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(Text(head), justify=justify, overflow="fold", no_wrap=whole or right, min_width=least)
    for row in cells:
        table.add_row(*map(Text, row))
    with _standard_output():
        console.print(table)


def _narrowest(heads: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[int]) -> int:
    """The columns of a terminal that a table takes whose names and numbers keep to one line."""
    total = GAP * len(heads) - 1
    for index, head in enumerate(heads):
        of = [row[index] for row in cells]
        whole = index == 0 or index in numbers
        total += max(map(len, [*head.splitlines(), *of]), default=0) if whole else _least(of)
    return total


def _least(cells: Iterable[str]) -> int:
    """The columns that words of common length take."""
    return max((len(word) for cell in cells for word in cell.split() if len(word) <= LEAST), default=1)


def _folded(head: str, cells: Sequence[str]) -> str:
    """The head of a column in lines no wider than its cells, where its words let it."""
    return "\n".join(wrap(head, max(map(len, [*cells, *head.split(), " "])), break_long_words=False))


@contextmanager
def _standard_output() -> Iterator[None]:
    """Raises EdgeoptError when stdout takes no more, as a full disk does; BrokenPipeError stays, for which click ends quietly."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):  # what is still buffered would fail again, with a traceback, when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise EdgeoptError(f"cannot write to the standard output: {error.strerror}") from error
