"""Options that take numbers refuse what is no finite number, in every command."""

from __future__ import annotations

import click
import pytest

from edgeopt.cli.main import main
from edgeopt.cli.options import Real
from tests.edgeopt.command_line import DIGITS, EVALUATION, edgeopt

NUMBERS = [p for command in main.commands.values() for p in command.params if isinstance(p.type, click.types.FloatParamType)]


def test_every_number_is_a_finite_one() -> None:
    assert len(NUMBERS) > 10 and all(isinstance(parameter.type, Real) for parameter in NUMBERS)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_finite_number_is_wrong_usage(value: str) -> None:
    made = edgeopt("bisect", DIGITS, "--max-drop", value, "--data", EVALUATION)
    assert made.exit_code == 2 and ("finite" in made.stderr or "range" in made.stderr)
