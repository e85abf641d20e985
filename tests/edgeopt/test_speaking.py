"""How commands speak: quietly, with a log, in 80 columns; and every option stands in a document."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import edgeopt as package
from edgeopt.cli.main import COMMANDS
from edgeopt.cli.reference import reference
from edgeopt.examine.operators import operators
from tests.edgeopt import small_models
from tests.edgeopt.command_line import DIGITS, answered, compiled, edgeopt

ROOT = Path(__file__).resolve().parents[2]


def test_quiet_leaves_notes_out(tmp_path: Path) -> None:
    loud = edgeopt("compile", DIGITS, "-o", tmp_path / "a")
    quiet = edgeopt("compile", DIGITS, "-o", tmp_path / "a", "-q")
    assert "wrote" in loud.stderr and quiet.stderr == "" and quiet.exit_code == 0
    assert edgeopt("-q", "compile", DIGITS, "-o", tmp_path / "a").stderr == ""
    assert "Error" in edgeopt("compile", tmp_path, "-q").stderr


def test_verbose_logs_stages_and_passes(tmp_path: Path) -> None:
    before = logging.getLogger("edgeopt").handlers[:]
    told = edgeopt("compile", DIGITS, "-o", tmp_path / "a", "-v", "--explain").stderr  # not what the cache holds
    assert "generating code" in told and re.search(r"ms  pass fuse_\w+: \d+ rewrites", told)
    assert logging.getLogger("edgeopt").handlers == before


def test_the_library_tells_a_callback_and_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, float]] = []
    with caplog.at_level(logging.INFO, "edgeopt"):
        options = package.Options(progress=lambda stage, share: told.append((stage, share)))
        package.compile(small_models.convolution(), options=options)
    assert told[-1][0] == "generating code" and 0 < told[-1][1] <= 1
    assert "generating code" in caplog.messages
    with pytest.raises(package.EdgeoptError, match="progress=3"):
        package.Options(progress=3)  # type: ignore[arg-type]


def test_python_m_edgeopt() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeopt", "--version"], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    assert done.stdout.startswith("edgeopt") and package.__version__ in done.stdout


def test_python_m_edgeopt_in_the_folder_that_holds_a_clone(tmp_path: Path) -> None:
    """Python then has a package of that name without a file, which the command replaces by the real one."""
    code = "import sys, types, runpy; sys.modules['edgeopt'] = types.ModuleType('edgeopt'); sys.argv = ['edgeopt', '--version']; "
    code += f"runpy.run_path({str(ROOT / 'edgeopt' / '__main__.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.stdout.startswith("edgeopt") and package.__version__ in done.stdout, done.stderr


def test_tables_fit_80_columns(tmp_path: Path) -> None:
    artifact = compiled(tmp_path)
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("targets",), ("passes",), ("forms",), ("ops",), ("inspect", DIGITS), ("inspect", artifact, "--bytes"),
        ("inspect", DIGITS, "--target", "cortex-a53"),
    )  # fmt: skip
    for command in commands:
        result = edgeopt(*command)
        assert result.exit_code == 0, result.stderr
        rows = [line for line in result.stdout.splitlines() if "  " in line or "─" in line]  # sentences end a table
        assert rows and max(map(len, rows)) <= 80, command


def test_operators_are_listed_with_what_runs_them() -> None:
    found = {o.name: o for o in operators() if o.domain == "ai.onnx"}
    assert found["Conv"].runs == "native" and found["Conv"].versions == (1, 11, 22)
    assert found["Softmax"].versions == (1, 11, 13) and found["NonZero"].runs == "host"
    assert {o.name: o.runs for o in operators("cortex-a53")}["NonZero"] == "refused"
    assert answered(edgeopt("ops", "--target", "cortex-a53", "--json"))["target"] == "cortex-a53"


def test_the_manifest_says_which_edgeopt_made_it(tmp_path: Path) -> None:
    assert f'"edgeopt": "{package.__version__}"' in (compiled(tmp_path) / "manifest.json").read_text()


def options() -> set[str]:
    """Every long option of every command, and those of one letter that have no other name."""
    every = [p for command in COMMANDS for p in command.params if isinstance(p, click.Option)]
    return {max(parameter.opts, key=len) for parameter in every}


def test_every_option_is_named_by_help_and_a_document() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert page == reference() + "\n", "write it again: python -m edgeopt.cli.reference > docs/commands.md"
    pages = "\n".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    found = {option for option in options() if re.search(rf"{re.escape(option)}(?![\w-])", pages)}
    assert found == options()
    for command in COMMANDS:
        text = edgeopt(str(command.name), "--help").stdout
        assert all(max(p.opts, key=len) in text for p in command.params if isinstance(p, click.Option))
