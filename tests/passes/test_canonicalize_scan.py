"""canonicalize_scan: the golden text, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

from tests.passes.building import closed, sketch
from tests.passes.checks import before_and_after, load_pass, reasons
from tests.passes.control_patterns import canonicalize_scan
from tests.passes.graphs import pattern_graph

NAME = "canonicalize_scan"


def test_golden(golden: Callable[[str, str], None]) -> None:
    golden(NAME, before_and_after(pattern_graph(NAME, 0), NAME))


def test_leaves_a_scan_along_the_first_axis() -> None:
    draft, x = sketch()
    y = canonicalize_scan(draft, x)
    before = closed(draft, y)
    load_pass(NAME)(before)
    assert [n.op for n in before.nodes] == ["Transpose", "Scan", "Transpose"]
    assert reasons(before, NAME) == []
