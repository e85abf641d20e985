"""What a search says that it did to layers."""

from __future__ import annotations

import pytest

from edgeopt.forms.form import titled
from edgeopt.forms.quantize.technique import QuantizeSession
from edgeopt.ops.grid import scheme


@pytest.mark.parametrize(
    "taken, said",
    [
        ({"16x1-75"}, "pruned to 16x1-75"),
        ({"16x1-50"}, "pruned to 16x1-50"),
        ({"16x1-50", "16x1-75"}, "pruned to 16x1-75 and gentler forms"),
        ({"2:4", "16x1-75"}, "pruned to 16x1-75 and gentler forms"),
    ],
)
def test_names_the_first_form_that_was_taken(taken: set[str], said: str) -> None:
    assert titled("pruned", ["16x1-75"], taken) == said


@pytest.mark.parametrize(
    "taken, said",
    [
        ({"w8a8"}, "quantised to w8a8"),
        ({"w4a8", "w8a8"}, "quantised to w4a8 and gentler forms"),
        ({"w8"}, "quantised to w8, weights only"),
        (set(), "quantised to w4a8"),
    ],
)
def test_names_the_first_scheme_that_was_taken_not_the_first_that_was_wanted(taken: set[str], said: str) -> None:
    session = QuantizeSession.__new__(QuantizeSession)
    session.schemes = (scheme("w4a8"), scheme("w8a8"), scheme("w8"))
    assert session.title(taken) == said
