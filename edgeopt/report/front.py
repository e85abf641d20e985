"""The page of an exploration: accuracy against time, size, energy and RAM, and a table of the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgeopt.report.lines import Axis
from edgeopt.report.page import document, section, table
from edgeopt.report.scatter import Dot, scatter

Record = Mapping[str, Any]
FIGURES = {
    "latency": ("ms", 1e3),
    "size": ("kB of constants", 1e-3),
    "energy": ("mJ, estimated", 1e3),
    "memory": ("kB of RAM", 1e-3),
}
COLUMNS = ("", "accuracy %", "unseen %", "ms", "kB of constants", "mJ", "kB of RAM", "forms")
KINDS = ("front", "exact network", "other tools")


def front_page(found: Record, others: Sequence[Record] = ()) -> str:
    """The page of a front as JSON has it; ``others`` are points of other tools or recipes, with a ``name``."""
    about = (
        f"{found['trials']} trials for {found['target']}; a point is on the front when no other one is at least as good in all"
    )
    body = [f"<h1>{escape(str(found['model']))}</h1>", f'<p class="about">{escape(about)}</p>']
    for figure, (unit, factor) in FIGURES.items():
        body.append(section(f"Accuracy against {figure}", _plot(found, others, figure, unit, factor)))
    rows = [row(str(k), point) for k, point in enumerate(found["points"])]
    rows += [row(f"{_letter(k)}: {point.get('name', '')}", point) for k, point in enumerate(others)]
    points = table(COLUMNS, [*rows, row("exact", found["exact"])], {1, 2, 3, 4, 5, 6})
    body.append(section("Points", f'<div class="points">{points}</div>'))
    return document(f"front of {found['model']}", body)


def _plot(found: Record, others: Sequence[Record], figure: str, unit: str, factor: float) -> str:
    named = [(_letter(k), other) for k, other in enumerate(others) if figure in other]
    groups = ([("", point) for point in found["points"]], [("", found["exact"])], named)
    dots = [
        Dot(factor * p[figure], p["accuracy"], _title(p), kind, label)
        for kind, group in enumerate(groups)
        for label, p in group
        if p[figure] > 0
    ]
    return scatter(dots, Axis(unit, True), Axis("accuracy, %"), KINDS[: 3 if named else 2])


def _letter(number: int) -> str:
    """a, b, c and so on: how a picture names what other tools made."""
    return chr(ord("a") + number % 26) * (1 + number // 26)


def _title(point: Record) -> str:
    parts = [f"{factor * point[name]:.4g} {unit}" for name, (unit, factor) in FIGURES.items() if name in point]
    return ", ".join([*([str(point["name"])] if "name" in point else []), f"{point['accuracy']:.2f} %", *parts])


def row(name: str, point: Record) -> tuple[str, ...]:
    """A point in a table, after its number or ``name``."""
    unseen = point.get("unseen")
    figures = [f"{factor * point[key]:.4g}" if key in point else "" for key, (_, factor) in FIGURES.items()]
    shown = f"{point['accuracy']:.2f}", "" if unseen is None else f"{unseen:.2f}"
    return (name, *shown, *figures, _forms(point.get("forms") or {}))


def _forms(forms: Mapping[str, Mapping[str, str]]) -> str:
    """How many layers have which forms."""
    counts: dict[str, int] = {}
    for choice in forms.values():
        name = " + ".join(choice.values())
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))
