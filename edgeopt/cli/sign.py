"""``edgeopt sign``: say who made a compiled model."""

from __future__ import annotations

from pathlib import Path

import click

from edgeopt.cli import options
from edgeopt.cli.answer import answer
from edgeopt.cli.console import note


@click.command()
@click.argument("directory", type=options.EXISTING_DIRECTORY)
@click.option("--key", type=options.EXISTING_FILE, required=True, metavar="KEY.pem", help="Private ed25519 key, a PEM file.")
@options.as_json
def sign(directory: Path, key: Path, as_json: bool) -> None:
    """Sign the compiled model in DIRECTORY, for 'edgeopt run --key PUBLIC.pem' and edgeopt.load(DIRECTORY, key=...).

    openssl genpkey -algorithm ed25519 -out KEY.pem makes a key, openssl pkey -in KEY.pem -pubout -out PUBLIC.pem its public part.
    """
    from edgeopt.runtime.signature import sign as sign_artifact

    path = sign_artifact(directory, key)
    answer({"signature": path})
    note(f"wrote {path}")
