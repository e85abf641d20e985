"""A plan in pictures: what happens when, and latency and energy against the rate of the first link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgeopt.report.lines import Axis, Curve, lines
from edgeopt.report.page import document, section, table
from edgeopt.report.timeline import timeline

Record = Mapping[str, Any]


def report(record: Record) -> str:
    """The page of the record of a plan (``edgeopt.partition.record``)."""
    about = f"{' - '.join(record['tiers'])}, least {record['objective']}"
    body = [f"<h1>{escape(record['title'])}</h1>", f'<p class="about">{escape(about)}</p>']
    rows = [(figures["placement"], *_cells(figures)) for figures in record["figures"]]
    body.append(section("Figures", table(("placement", "latency ms", "energy mJ", "inferences/s"), rows, {1, 2, 3})))
    body.append(section("When what happens", timeline([(m["way"], m["parts"]) for m in record["moments"]])))
    if record["exits"] is not None:
        body.append(section("Accuracy against operations", exit_curve(record["exits"])))
    if record["rates"] is not None:
        body += [section(heading, picture) for heading, picture in over_rates(record["rates"])]
    return document(record["title"], body)


def exit_curve(exits: Record) -> str:
    """Points lost, and their bound, against the share of operations, over all thresholds."""
    curves = [Curve(name, [(p["macs"], p[key]) for p in exits["curve"]]) for key, name in _CURVES.items()]
    chosen = exits["chosen"]
    curves.append(Curve(f"chosen: {exits['threshold']:.3f}", [(chosen["macs"], chosen[key]) for key in _CURVES]))
    return lines(curves, Axis("share of the multiply-accumulates"), Axis("percentage points"))


_CURVES = {"loss": "lost", "bound": "bound of 95 %"}


def _cells(figures: Record) -> tuple[str, str, str]:
    return f"{1e3 * figures['latency']:,.3f}", f"{1e3 * figures['energy']:,.3f}", f"{1 / (figures['slowest'] or 1e-9):,.1f}"


def over_rates(rates: Record) -> list[tuple[str, str]]:
    """(heading, picture) of latency and energy against the rate of the first link, in Mbit/s."""
    across, rows = Axis(f"{rates['link']}, Mbit/s up", True), [(row["way"], row["points"]) for row in rates["curves"]]
    latency, energy = _thousandths(rows, 1), _thousandths(rows, 2)
    made = [("Latency against the rate of the link", lines(latency, across, Axis("ms", True)))]
    if any(curve.points for curve in energy):
        made.append(("Energy of the device against the rate of the link", lines(energy, across, Axis("mJ", True))))
    return made


def _thousandths(rows: Sequence[tuple[str, Sequence[Sequence[float]]]], place: int) -> list[Curve]:
    """The figures of a ``place`` against the first, those of 0 left out."""
    return [Curve(name, [(point[0], 1e3 * point[place]) for point in points if point[place] > 0]) for name, points in rows]
