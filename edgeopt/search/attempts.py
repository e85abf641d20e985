"""Which bounds a search was given before, and what the network that came of them was measured to take.

What layers do not hold, such as code, draws the bounds of a search in, by as much as the networks on its way have of it. So a
search that is asked for just what the nearest network takes may go past that network: it is then given the bounds that led there.
"""

from __future__ import annotations

from dataclasses import asdict

from edgeopt.search.limits import Figures, Limits
from edgeopt.search.remembered import Remembered

WHAT = "attempts"


def remember(search: str, drawn: Limits, figures: Figures) -> None:
    """Keep that ``search``, a digest of all but its bounds, made a network that takes ``figures`` of the bounds ``drawn``."""
    if not search:
        return
    made = [asdict(drawn), {str(name): figure for name, figure in figures.items()}]
    known = Remembered(search).recall(WHAT) or []
    if made not in known:
        Remembered(search).keep([*known, made], WHAT)


def keeping(search: str, limits: Limits) -> list[Limits]:
    """Bounds that led the ``search`` to networks that keep ``limits``."""
    known = Remembered(search).recall(WHAT) or [] if search else []
    return [Limits(**drawn) for drawn, figures in known if not limits.exceeded(figures)]
