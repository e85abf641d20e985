"""Curves and timelines are well-formed pictures whose marks are round and whose points lie where they should."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from edgeopt.report.lines import Axis, Curve, lines
from edgeopt.report.timeline import timeline


def places(picture: str) -> list[list[tuple[float, float]]]:
    found = re.findall(r'<polyline points="([^"]+)"', picture)
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in row.split())] for row in found]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_curves_lie_where_they_should(logarithmic: bool) -> None:
    points = [(1.0, 10.0), (10.0, 100.0), (100.0, 1000.0)]
    picture = lines([Curve("a <b>", points), Curve("none", [])], Axis("x", logarithmic), Axis("y", logarithmic))
    ElementTree.fromstring(picture)
    (row,) = places(picture)
    assert row[0][0] < row[1][0] < row[2][0] and row[0][1] > row[1][1] > row[2][1], "up is less"
    if logarithmic:
        assert row[1][0] - row[0][0] == pytest.approx(row[2][0] - row[1][0], abs=0.2)
    assert "a &lt;b&gt;" in picture and ">100<" in picture and ">none<" not in picture


def test_one_point_and_no_point_are_pictures_too() -> None:
    assert lines([], Axis("x"), Axis("y")) == ""
    for logarithmic in (False, True):
        ElementTree.fromstring(lines([Curve("one", [(2.0, 2.0)])], Axis("x", logarithmic), Axis("y", logarithmic)))
    ElementTree.fromstring(lines([Curve("flat", [(0.0, 0.0), (1.0, 0.0)])], Axis("x"), Axis("y")))


def test_a_timeline_is_as_long_as_its_parts() -> None:
    picture = timeline([("both", [("compute", 0.003), ("send", 0.001)]), ("one", [("compute", 0.002)])])
    ElementTree.fromstring(picture)
    widths = [float(w) for w in re.findall(r'<rect x="[\d.]+" y="\d+" width="([\d.]+)" height="26"', picture)]
    assert widths[0] == pytest.approx(3 * widths[1], rel=0.01) and widths[2] == pytest.approx(2 * widths[1], rel=0.01)
    assert "4 ms" in picture and "2 ms" in picture
