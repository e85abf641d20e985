"""Bounds of a network besides its accuracy: time, bytes, RAM, energy; and what a network takes of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, log10

from edgeopt.errors import EdgeoptError
from edgeopt.search.goal import Objective

Figures = Mapping[Objective, float]  # seconds, stored bytes, bytes of RAM, joule
Units = Mapping[Objective, tuple[float, str, str]]  # factor, unit, the name of the bound
UNITS: dict[Objective, tuple[float, str, str]] = {
    "latency": (1e3, "ms", "max_latency"),
    "size": (1e-3, "kB stored", "max_size"),
    "memory": (1e-3, "kB of RAM", "max_ram"),
    "energy": (1e3, "mJ", "max_energy"),
}
BOARD = UNITS | {"size": (1e-3, "kB of flash", "max_flash")}  # of a microcontroller, where code and libraries count
_TIMES, _ENERGIES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}, {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "µj": 1e-6}


@dataclass(frozen=True)
class Limits:
    """The most that an inference may take: seconds, bytes of stored weights and code, bytes of RAM, joule; None for any.

    Where they are ``stretched`` and cannot be kept, a search gives what comes nearest to them.
    """

    latency: float | None = None
    size: float | None = None
    memory: float | None = None
    energy: float | None = None
    stretched: bool = False

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
        return {name: figures[name] / bound for name, bound in self.given.items() if figures.get(name, 0.0) > bound}

    def excess(self, figures: Figures) -> float:
        """The largest ratio of what ``figures`` take to a bound; 1 where all are kept."""
        return max([1.0, *self.exceeded(figures).values()])


class Infeasible(EdgeoptError):
    """Bounds that no network found keeps within its budget of accuracy, and what the ``nearest`` one takes."""

    def __init__(self, message: str, nearest: Figures) -> None:
        super().__init__(message)
        self.nearest = nearest


def amount(name: Objective, value: float, units: Units = UNITS) -> str:
    """A figure in words, never less than it is, so that it can be asked for: bytes all of them, four digits of others."""
    factor, unit, _ = units[name]
    if name in ("size", "memory"):
        return f"{factor * ceil(value):.12g} {unit}"
    return f"{_rounded_up(factor * value)} {unit}"


def _rounded_up(value: float) -> str:
    """Four digits without an exponent, none of them beyond the ninth after the point: as the options read a number."""
    if value <= 0:
        return "0"
    step = 10.0 ** max(floor(log10(value)) - 3, -9)
    return f"{max(1, ceil(value / step - 1e-6)) * step:.9f}".rstrip("0").rstrip(".")


def shown(figures: Figures, units: Units = UNITS) -> str:
    """All figures in words; energy where it was estimated."""
    there = [name for name in UNITS if name in figures and (figures[name] or name != "energy")]
    return ", ".join(amount(name, figures[name], units) for name in there)


def infeasible(
    limits: Limits,
    nearest: Figures,
    drop: float | None,
    max_drop: float,
    units: Units = UNITS,
    late: bool = False,
    blind: bool = False,
) -> Infeasible:
    """What to say of ``limits`` to which the ``nearest`` network comes, with a ``drop`` of percentage points if known.

    The search may have ended ``late``, before it had tried all that there is, or was ``blind``, without samples.
    """
    over = limits.exceeded(nearest)
    bounds = " and ".join(f"{units[name][2]} {amount(name, limits.given[name], units)}" for name in over or limits.given)
    within = f" within max_drop {max_drop:g}" if drop is not None else ""
    lost = "" if drop is None else f" at a loss of {drop:.2f} points" if drop >= 0 else f", which gains {-drop:.2f} points"
    way = "raise the bound" + (" or max_drop" if drop is not None else "") + (", or search_time, which was over" if late else "")
    way += ", or give data: with samples more forms are tried" if blind else ""
    way += "; codes at the interface and coded weights take less, where not asked for yet" if units is not UNITS else ""
    said = f"{bounds} cannot be kept{within}: the nearest network found takes {shown(nearest, units)}{lost}; {way}"
    return Infeasible(said, nearest)


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
