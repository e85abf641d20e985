"""``edgeopt schema``: the JSON Schema of what --json prints."""

from __future__ import annotations

import json

import click

from edgeopt.cli import options
from edgeopt.cli.answer import SCHEMA_FILE, answer
from edgeopt.cli.console import say


@click.command()
@options.as_json
def schema(as_json: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the object that every command prints with --json."""
    text = SCHEMA_FILE.read_text("utf-8")
    answer({"schema": json.loads(text)})
    say(text.rstrip())
