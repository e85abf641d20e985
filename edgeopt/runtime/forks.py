"""What a forked process has to make anew: only the thread that forked goes on in it, whatever locks the others held."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """Something with locks or threads."""

    def renew(self) -> None:
        """Replace them, without waiting for any."""


_KNOWN: WeakSet[Renewed] = WeakSet()


def renewed_after_fork(subject: Renewed) -> None:
    """``subject.renew()`` will be called in every process forked from this one, as long as it lives."""
    _KNOWN.add(subject)


def _renew() -> None:
    for subject in list(_KNOWN):
        subject.renew()


os.register_at_fork(after_in_child=_renew)
