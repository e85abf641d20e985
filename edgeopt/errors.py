"""The exception a user of edgeopt meets."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EdgeoptError(Exception):
    """What went wrong, where (file, operator and node name) and what to do about it, in one message."""


class UnknownName(EdgeoptError):
    """A name that was given is none of those that there are, which on the command line is wrong usage."""


def meant(name: str, known: Iterable[str]) -> str:
    """A question whether some of the ``known`` names that are like ``name`` were meant, and a space; "" where none is like it."""
    near = get_close_matches(name, list(known), 3)
    return f"did you mean {' or '.join(near)}? " if near else ""
