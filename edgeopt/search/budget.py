"""Choice under a budget: approximate everything that pays, verify on the whole network, give the worst layers back until it fits.

A technique offers, for each layer, a candidate with the cost it saves and the error it brings. The choice is greedy in error per
saving; what a set of candidates does to the network together is measured, never summed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MIN_SAVING = 1e-9


@dataclass(frozen=True)
class Candidate:
    """One approximation of one layer: ``saving`` in the unit of the cost to minimise, ``error`` in any monotonic measure."""

    layer: str
    saving: float
    error: float


@dataclass(frozen=True)
class Choice:
    """The layers that stay approximated, those given back in the order they were, and the drop measured for the result."""

    kept: tuple[str, ...]
    given_back: tuple[str, ...]
    drop: float


def choose(
    layers: Sequence[str],
    candidates: Callable[[], Sequence[Candidate]],
    measure: Callable[[frozenset[str]], float],
    max_drop: float,
    fixed: Mapping[str, str] | None = None,
) -> Choice:
    """The largest set of ``layers`` found whose measured drop is at most ``max_drop``.

    ``measure(set)`` is the drop with exactly this set approximated; ``candidates()`` is asked only when something has to be given
    back, since errors cost time. Layers go back worst first (error per saving), in growing steps, and those that turn out not to
    have been needed are approximated again. ``fixed`` names layers that are never approximated, with the reason.
    """
    kept = [name for name in layers if name not in (fixed or {})]
    drop = measure(frozenset(kept))
    if drop <= max_drop:
        return Choice(tuple(kept), (), drop)
    ranked = sorted(candidates(), key=lambda c: -c.error / max(c.saving, MIN_SAVING))
    worst = [c.layer for c in ranked if c.layer in kept]
    count, drops = 0, {0: drop}
    while drops[count] > max_drop and count < len(worst):
        count = min(len(worst), max(1, 2 * count))
        drops[count] = measure(frozenset(kept) - set(worst[:count]))
    count = _fewest(count, drops, lambda k: measure(frozenset(kept) - set(worst[:k])), max_drop)
    back = worst[:count]
    return Choice(tuple(k for k in kept if k not in back), tuple(back), drops[count])


def _fewest(count: int, drops: dict[int, float], measure: Callable[[int], float], max_drop: float) -> int:
    """The smallest number found by bisection between the last one that failed and ``count``."""
    failed = max((k for k, d in drops.items() if k < count and d > max_drop), default=0)
    while count - failed > 1:
        middle = (count + failed) // 2
        drops[middle] = measure(middle)
        if drops[middle] <= max_drop:
            count = middle
        else:
            failed = middle
    return count
