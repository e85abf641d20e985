"""The command line as the tests call it, and the digits network they call it on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from edgeopt.cli.main import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DIGITS, EVALUATION, CALIBRATION = (EXAMPLES / f"digits.{end}" for end in ("onnx", "eval.npz", "cal.npz"))


def edgeopt(*arguments: str | Path) -> Result:
    """Run one command in this process; stdout and stderr are kept apart."""
    return CliRunner().invoke(main, [str(a) for a in arguments])


def answered(result: Result) -> Any:
    """What a command with --json answered; its object is all that stands on stdout."""
    record = json.loads(result.stdout)
    assert record["exit_code"] == result.exit_code, result.output
    return record["result"]


def compiled(folder: Path, *options: str) -> Path:
    """The digits network compiled into ``folder``."""
    directory = folder / "digits.edgeopt"
    result = edgeopt("compile", DIGITS, "-o", directory, *options)
    assert result.exit_code == 0, result.stderr
    return directory
