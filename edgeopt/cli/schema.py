"""``edgeopt schema``: the JSON Schemas of what is printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import SCHEMA_FILE, answer
from edgeopt.cli.console import say

FOLDER = Path(__file__).resolve().parents[1]
FILES = {
    "json": SCHEMA_FILE,
    "manifest": FOLDER / "runtime" / "manifest.schema.json",
    "report": FOLDER / "report" / "report.schema.json",
    "front": FOLDER / "explore" / "front.schema.json",
}


@click.command()
@click.argument("of", type=click.Choice(list(FILES)), default="json")
@options.as_json
def schema(of: str, as_json: bool) -> None:
    """Print a JSON Schema (draft 2020-12).

    Of what every command prints with --json; of the manifest of a compiled model; of the report.json that its report.html is
    made of; of the front that 'edgeopt explore' writes.
    """
    text = FILES[of].read_text("utf-8")
    answer({"schema": json.loads(text)})
    say(text.rstrip())
