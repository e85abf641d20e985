"""The exception a user of edgeopt meets."""

from __future__ import annotations


class EdgeoptError(Exception):
    """What went wrong, where (file, operator and node name) and what to do about it, in one message."""


class UnknownName(EdgeoptError):
    """A name that was given is none of those that there are, which on the command line is wrong usage."""
