"""Options that were given and would change nothing are an error, so that nobody believes they did."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource


def refuse_unused(names: Iterable[str], reason: str) -> None:
    """Raise UsageError when one of the parameters ``names`` of this command was given; ``reason`` says what it belongs to."""
    context = click.get_current_context()
    given = [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    options = {param.name: param.opts[0] for param in context.command.params}
    if given:
        raise click.UsageError(f"{options[given[0]]} has no effect here: {reason}")
