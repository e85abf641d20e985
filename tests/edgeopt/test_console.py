"""What reaches the terminal: no control characters, no markup, and quiet ends when nobody reads on."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, save

import edgeopt as package
from edgeopt.cli.console import print_table, visible
from edgeopt.report.compression import COLUMNS, NUMBERS
from tests.edgeopt.command_line import DIGITS, edgeopt
from tests.edgeopt.small_models import info, model

ESCAPE, BIDI, MARKUP = "\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "[red]bold[/red]"
EVIL = f"{ESCAPE}{BIDI}\x9b31m{MARKUP}\r\x00\u2028"
ROOT = Path(package.__file__).parent


def clean(text: str) -> bool:
    return not any(c in text for c in "\x1b\x07\x9b\x00\r\u202e\u2028")


def test_control_and_format_characters_are_written_out() -> None:
    assert visible(EVIL) == r"\x1b[2J\x1b]0;title\x07\u202egnp.exe\x9b31m[red]bold[/red]\r\x00\u2028"
    assert visible("Größe µs\n\tzwei ×") == "Größe µs\n\tzwei ×"
    assert visible("a\nb", kept="") == r"a\nb"
    assert visible("\ud800") == r"\ud800"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    nodes = [helper.make_node("Relu", [EVIL], ["a"], f"{EVIL} one"), helper.make_node("NonZero", ["a"], [f"{EVIL}out"], EVIL)]
    proto = model(nodes, [info(EVIL, [2])], [info(f"{EVIL}out", [1, None], 7)])
    save(proto, tmp_path / "evil.onnx")
    return tmp_path / "evil.onnx"


def test_names_of_a_model_do_not_steer_the_terminal(evil: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros(2, np.float32))
    art, out = tmp_path / "evil.edgeopt", tmp_path / "y.npz"
    for command in (
        ("compile", evil, "-o", art, "--explain", "--print-after", "all"),
        ("inspect", evil),
        ("inspect", art),
        ("run", art, "--input", tmp_path / "x.npz", "--output", out),
        ("verify", evil, art),
        ("bench", evil, "--seconds", "0.01"),
        ("compile", evil, "-o", art, "--target", "arm"),
        ("--debug", "compile", evil, "-o", art, "--target", "arm"),
        ("compile", evil, "--shape", f"{EVIL}=x"),
        ("compile", tmp_path / EVIL.replace("\0", "").replace("/", "")),
    ):
        result = edgeopt(*command)
        assert clean(result.output), (command, result.output)
    assert "Traceback" in edgeopt("--debug", "compile", evil, "-o", art, "--target", "arm").stderr


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table((f"{MARKUP}a",), [(f"{MARKUP}b",)], title=f"{MARKUP}c")
    shown = capsys.readouterr().out
    assert all(f"{MARKUP}{letter}" in shown for letter in "abc")


def test_every_command_writes_through_the_console() -> None:
    for path in sorted((ROOT / "cli").glob("*.py")):
        if path.name == "console.py":
            continue
        called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        assert not called & {"click.echo", "click.secho", "print", "Console", "sys.stdout.write", "sys.stderr.write"}, path.name


def _inspect(stdout: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edgeopt.cli.main", "inspect", str(DIGITS)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT.parent, timeout=60)


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = _inspect(writing)
    os.close(writing)
    assert done.stderr == b"" and done.returncode != 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout_is_one_message() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = _inspect(full)
    os.close(full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["Error: cannot write to the standard output: No space left on device"]


def test_heads_of_columns_are_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "b" * 30
    print_table(COLUMNS, [(name, "1,000,000", "100.0", "12.34", "12.34", "9,999,999", "10.0x")], numbers=NUMBERS)
    shown = capsys.readouterr().out
    assert "compression" in shown and max(map(len, shown.splitlines())) <= 80
    assert shown.split("─")[-1].count("b") == len(name)
