"""What a search says that it did to layers."""

from __future__ import annotations

import pytest

from edgeopt.forms.form import titled


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
