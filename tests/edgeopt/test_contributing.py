"""The pass that CONTRIBUTING.md walks through works as it is printed: extracted, put in place in a copy, and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASS, TEST, PIPELINE = "passes/cancel_negations.py", "tests/passes/test_cancel_negations.py", "edgeopt/pipeline.py"


def blocks() -> dict[str, str]:
    """The python blocks of the page by the file name in their first line."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project in which the steps of the page were followed."""
    for folder in ("edgeopt", "passes", "kernels"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "passes").mkdir(parents=True)
    steps = blocks()
    for name in (PASS, TEST):
        (tmp_path / name).write_text(steps[name])
    import_line, stage_line = steps[PIPELINE].splitlines(keepends=True)
    pipeline = (tmp_path / PIPELINE).read_text()
    pipeline = _after(pipeline, "from edgeopt.passes import (\n", import_line)
    (tmp_path / PIPELINE).write_text(_after(pipeline, "PIPELINE: tuple[Stage, ...] = (\n", stage_line))
    return tmp_path


def _after(text: str, place: str, line: str) -> str:
    assert text.count(place) == 1
    return text.replace(place, place + line)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run python in ``folder`` with that copy in front of any installed edgeopt."""
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_the_steps_of_the_page_work(copy: Path) -> None:
    tested = python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    listed = python(copy, "-c", "from edgeopt.cli.main import main; main()", "passes")
    assert "cancel_negations" in listed.stdout, listed.stderr


def test_the_code_of_the_page_is_clean(copy: Path) -> None:
    for check in (("-m", "ruff", "check", PASS, TEST), ("-m", "ruff", "format", "--check", PASS, TEST)):
        done = python(copy, *check)
        assert done.returncode == 0, done.stdout + done.stderr
