"""Which bounds searches were given before, and what the networks that came of them were measured to take.

What layers do not hold, such as code, draws the bounds of a search in, by as much as the networks on its way have of it. So a
search that is asked for just what the nearest network takes may go past that network: it is then given the bounds that led there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from edgeopt.search.limits import Figures, Limits
from edgeopt.search.remembered import Remembered

WHAT = "attempts"


def remember(searches: Iterable[str], made: Mapping[Limits, Figures]) -> None:
    """Keep what the networks take that ``searches``, digests of all but bounds, ``made`` for some bounds."""
    found = {bounds: {str(name): figure for name, figure in figures.items()} for bounds, figures in made.items()}
    for search in filter(None, dict.fromkeys(searches)):
        every = _known(search) | found
        Remembered(search).keep([[asdict(bounds), figures] for bounds, figures in every.items()], WHAT)


def keeping(searches: Iterable[str], limits: Limits) -> list[Limits]:
    """Bounds that led one of the ``searches`` to a network that keeps ``limits``."""
    known = {bounds: figures for search in filter(None, searches) for bounds, figures in _known(search).items()}
    return [bounds for bounds, figures in known.items() if not limits.exceeded(figures)]


def _known(search: str) -> dict[Limits, Figures]:
    return {Limits(**bounds): figures for bounds, figures in Remembered(search).recall(WHAT) or []}
