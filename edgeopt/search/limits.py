"""Bounds of a network besides its accuracy: time, bytes, RAM, energy; and what a network takes of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgeopt.errors import EdgeoptError
from edgeopt.search.goal import Objective

Figures = Mapping[Objective, float]  # seconds, stored bytes, bytes of RAM, joule
UNITS: dict[Objective, tuple[float, str, str]] = {
    "latency": (1e3, "ms", "max_latency"),
    "size": (1e-3, "kB stored", "max_size"),
    "memory": (1e-3, "kB of RAM", "max_ram"),
    "energy": (1e3, "mJ", "max_energy"),
}
_TIMES, _ENERGIES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}, {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "µj": 1e-6}


@dataclass(frozen=True)
class Limits:
    """The most that an inference may take: seconds, bytes of stored weights and code, bytes of RAM, joule; None for any."""

    latency: float | None = None
    size: float | None = None
    memory: float | None = None
    energy: float | None = None

    @property
    def given(self) -> dict[Objective, float]:
        """Those that there are."""
        every: dict[Objective, float | None] = {
            "latency": self.latency,
            "size": self.size,
            "memory": self.memory,
            "energy": self.energy,
        }
        return {name: bound for name, bound in every.items() if bound is not None}

    def exceeded(self, figures: Figures) -> dict[Objective, float]:
        """What ``figures`` take of each bound that they do not keep, as a ratio above 1."""
        return {name: figures[name] / bound for name, bound in self.given.items() if figures[name] > bound}

    def scaled(self, factors: Mapping[Objective, float]) -> Limits:
        """Bounds multiplied by ``factors``, where there are any."""
        return Limits(**{name: bound * factors.get(name, 1.0) for name, bound in self.given.items()})


class Infeasible(EdgeoptError):
    """Bounds that no network found keeps within its budget of accuracy; whether the budget was ``judged`` on samples."""

    def __init__(self, message: str, judged: bool) -> None:
        super().__init__(message)
        self.judged = judged


def amount(name: Objective, value: float) -> str:
    """A figure in words."""
    factor, unit, _ = UNITS[name]
    return f"{factor * value:.4g} {unit}"


def shown(figures: Figures) -> str:
    """All figures in words; energy where it was estimated."""
    return ", ".join(amount(name, value) for name, value in figures.items() if value or name != "energy")


def infeasible(limits: Limits, nearest: Figures, drop: float | None, max_drop: float, judged: bool = False) -> Infeasible:
    """What to say of ``limits`` to which the ``nearest`` network that was found comes, with a ``drop`` of percentage points.

    ``judged``: others, whose drop is not known here, were not within the budget.
    """
    over = limits.exceeded(nearest)
    bounds = " and ".join(f"{UNITS[name][2]} {amount(name, limits.given[name])}" for name in over or limits.given)
    judged = judged or drop is not None
    within = f" within max_drop {max_drop:g}" if judged else ""
    lost = f" at a loss of {drop:.2f} points" if drop is not None else ""
    way = "raise the bound" + (" or max_drop" if judged else "")
    said = f"{bounds} cannot be kept{within}: the nearest network found takes {shown(nearest)}{lost}; {way}"
    return Infeasible(said, judged)


def parse_time(text: str) -> float:
    """The seconds that ``20ms``, ``800us`` or ``5m`` mean. Raises EdgeoptError for anything else."""
    return _parsed(text, {**_TIMES, "m": 60.0, "min": 60.0, "h": 3600.0}, "time; give a number with us, ms, s, m or h as in 20ms")


def parse_energy(text: str) -> float:
    """The joule that ``5mJ`` means. Raises EdgeoptError for anything else."""
    return _parsed(text, _ENERGIES, "energy; give a number with uJ, mJ or J as in 5mJ")


def _parsed(text: str, units: Mapping[str, float], what: str) -> float:
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?|\.\d{1,9})\s*([a-zµ]+)", text.strip().lower())
    if match is None or match[2] not in units or float(match[1]) == 0:
        raise EdgeoptError(f"'{text}' is no {what}")
    return float(match[1]) * units[match[2]]
