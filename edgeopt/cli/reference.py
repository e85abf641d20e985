"""The page docs/commands.md: ``python -m edgeopt.cli.reference > docs/commands.md`` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from edgeopt.cli.console import write
from edgeopt.cli.main import COMMANDS

HEAD = """# Commands and their options

Written by `python -m edgeopt.cli.reference` from what `edgeopt COMMAND --help` says. Every command also takes `--help`, `--json`
([json.md](json.md)), `--quiet` (`-q`: no progress and no notes; warnings and failures stay) and `--verbose` (`-v`: log on stderr
what the library does). `edgeopt --debug COMMAND` shows the traceback of a failure, `edgeopt --version` the version.
"""
RANGE = re.compile(r"\[(x[<>][^\]]*)\]")  # square brackets would be a link to readers of Markdown
EVERYWHERE = {"--json", "--quiet", "--verbose"}


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for command in COMMANDS for line in _command(command))])


def _command(command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"edgeopt {command.name}")
    arguments = " ".join(str(p.name).upper() for p in command.params if isinstance(p, click.Argument))
    yield f"## `{' '.join(filter(None, [f'edgeopt {command.name}', arguments]))}`\n"
    yield _joined(command.help or "") + "\n"
    rows = [row for p in command.params if isinstance(p, click.Option) and (row := _option(p, context))]
    if rows:
        yield from ("| option | what it does |", "|---|---|", *rows, "")


def _option(option: click.Option, context: click.Context) -> str:
    """A row of the table; "" for an option that every command has."""
    record = option.get_help_record(context)
    if record is None or EVERYWHERE & set(option.opts):
        return ""
    names, text = (_joined(part).replace("|", "\\|") for part in record)
    shown = RANGE.sub(r"(\1)", text)
    return f"| `{names}` | {shown} |"


def _joined(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    write(reference())
