"""What the library logs, on stderr, for --verbose."""

from __future__ import annotations

import logging
from contextlib import suppress

import click

from edgeopt.cli.console import complain

LOGGER = "edgeopt"


class _Lines(logging.Handler):
    """Writes each record as one line."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # a log that fails must not end the work
            complain(self.format(record))


def log_to_stderr() -> None:
    """Show what the logger "edgeopt" says, until the command ends."""
    logger, handler = logging.getLogger(LOGGER), _Lines()
    handler.setFormatter(logging.Formatter("%(relativeCreated)7.0f ms  %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)

    def end() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before)

    context = click.get_current_context(silent=True)
    if context is not None:
        context.find_root().call_on_close(end)
