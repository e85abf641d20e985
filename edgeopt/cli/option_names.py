"""Messages of the library name arguments of a function; whoever types a command knows them as options."""

from __future__ import annotations

import re

import click


def as_typed(text: str, command: click.Command | None = None) -> str:
    """``text`` with arguments as the options of ``command``, or of the one that runs now: ``max_size`` as ``--max-size``.

    Only names of several words are meant, and none inside of a path, a quotation or another name.
    """
    context = click.get_current_context(silent=True)
    command = command or (context.command if context is not None else None)
    for param in command.params if command is not None else ():
        if isinstance(param, click.Option) and "_" in (param.name or ""):
            long = max(param.opts, key=len)
            text = re.sub(rf"(?<![\w/.'\"-]){param.name}(?![\w/'\"-]|\.\w)", long, text)
    return text
