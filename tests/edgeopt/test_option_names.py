"""What the library calls an argument, a message of the command calls an option; and what a stopped command leaves."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgeopt.cli import main as cli
from edgeopt.cli.option_names import as_typed

OTHERS = "layer 'max_size', /tmp/max_size, max_size.onnx, my_max_size"


@click.command()
@click.option("--max-size")
@click.option("--size")
def command(max_size: str, size: str) -> None: ...


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("max_size 2 kB cannot be kept; raise max_size.", "--max-size 2 kB cannot be kept; raise --max-size."),
        ("size and max_drop", "size and max_drop"),  # one word may be any word; the other is of another command
        (
            "layer 'max_size', /tmp/max_size, max_size.onnx, my_max_size",
            "layer 'max_size', /tmp/max_size, max_size.onnx, my_max_size",
        ),
    ],
)
def test_arguments_are_named_as_they_are_typed(said: str, typed: str) -> None:
    assert as_typed(said, command) == typed
    assert as_typed(said) == said


def test_notes_and_failures_name_options(tmp_path: Path) -> None:
    base = ["compile", "examples/digits.onnx", "-o", str(tmp_path / "a")]
    noted = CliRunner().invoke(cli.main, [*base, "-O1", "--max-latency", "20ms"])
    assert noted.exit_code == 0 and "--max-latency has no effect" in noted.stderr
    failed = CliRunner().invoke(cli.main, [*base, "-O1", "--max-flash", "20k"])
    assert failed.exit_code == 1 and "--max-flash is a bound for microcontrollers" in failed.stderr


def test_a_stopped_compilation_says_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("EDGEOPT_CACHE", str(tmp_path / "cache"))  # another test may have compiled the same
    monkeypatch.setattr("edgeopt.compiler.compile", stop)
    monkeypatch.setattr("edgeopt.compile", stop)
    stopped = CliRunner().invoke(cli.main, ["compile", "examples/digits.onnx", "-o", str(tmp_path / "a")])
    assert stopped.exit_code == 1 and "nothing was written" in stopped.stderr and "same command" in stopped.stderr
    assert not (tmp_path / "a").exists()
