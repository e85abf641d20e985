"""Notes: what the import decided for the user, kept in the graph's metadata one per line and printed by the CLI."""

from __future__ import annotations

import logging

from edgeopt.ir import Graph

NOTES = "edgeopt.notes"
LOGGER = logging.getLogger("edgeopt")


def notes(graph: Graph) -> list[str]:
    """The notes of ``graph``, oldest first."""
    return [line for line in graph.metadata.get(NOTES, "").splitlines() if line]


def add_note(graph: Graph, text: str) -> None:
    """Append a note of one line, once."""
    known, line = notes(graph), " ".join(text.split())
    if line not in known:
        LOGGER.info(line)
        graph.metadata[NOTES] = "\n".join([*known, line])
