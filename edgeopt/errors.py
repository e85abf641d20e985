"""The one exception a user of edgeopt meets."""

from __future__ import annotations


class EdgeoptError(Exception):
    """What went wrong, where (file, operator and node name) and what to do about it, in one message."""
