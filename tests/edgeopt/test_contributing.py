"""The pass and the technique that CONTRIBUTING.md walks through work as they are printed: put in place in a copy, and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASS, TEST, PIPELINE = "passes/cancel_negations.py", "tests/passes/test_cancel_negations.py", "edgeopt/pipeline.py"
PATTERNS, EXACTNESS = "tests/passes/arithmetic_patterns.py", "tests/passes/test_exactness.py"


WRITTEN = (PASS, TEST, PATTERNS)


def blocks() -> dict[str, str]:
    """The python blocks of the page by the file name in their first line."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def copied(folder: Path) -> None:
    """A copy of the project."""
    for name in ("edgeopt", "passes", "kernels"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy in which the steps of the page to a pass were followed."""
    copied(tmp_path)
    shutil.copytree(ROOT / "tests" / "passes", tmp_path / "tests" / "passes", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "drawing.py", "strategies.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    steps = blocks()
    with (tmp_path / PATTERNS).open("a") as patterns:
        patterns.write(f"\n\n{steps[PATTERNS]}")
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
    general = python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXACTNESS, "-k", "cancel_negations or has_a_pattern")
    assert general.returncode == 0 and "3 passed" in general.stdout, general.stdout + general.stderr
    listed = python(copy, "-c", "from edgeopt.cli.main import main; main()", "passes")
    assert "cancel_negations" in listed.stdout, listed.stderr


def test_the_code_of_the_page_is_clean(copy: Path) -> None:
    for check in (("-m", "ruff", "check", *WRITTEN), ("-m", "ruff", "format", "--check", *WRITTEN)):
        done = python(copy, *check)
        assert done.returncode == 0, done.stdout + done.stderr


NEW = ("edgeopt/ops/ternary.py", "kernels/gemm/ternary_gemm.py", "passes/ternarize.py", "edgeopt/forms/ternary.py")
TABLES = {
    "edgeopt/ops/table.py": "_ALL = (\n",
    "edgeopt/ops/contracts/quantized.py": "RULES = {\n",
    "kernels/gemm/__init__.py": "KERNELS: tuple[Kernel, ...] = (\n",
    "edgeopt/forms/registry.py": "TECHNIQUES: tuple[Technique, ...] = (\n",
}
SEARCH = """
import numpy as np
import edgeopt
from edgeopt.evaluate.data import DataSet

images = np.load("digits.npz")
data = DataSet({"image": images["image"]}, images["labels"])
options = edgeopt.Options(forms="ternary")
made = edgeopt.compile("digits.onnx", level=3, data=data, calibration=data, max_drop=100.0, options=options)
forms = [layer["form"] for layer in made.manifest["quantization"]["layers"]]
kernels = [kernel["kernel"] for kernel in made.manifest["kernels"]]
assert "ternary-weights" in forms and any("ternary_gemm" in k for k in kernels), (forms, kernels)
kept = edgeopt.compile("digits.onnx", level=3, data=data, calibration=data, max_drop=0.0, options=options)
made.save("digits.edgeopt")
print("forms", forms, [layer["form"] for layer in kept.manifest["quantization"]["layers"]])
"""


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy in which the steps of the page to a technique were followed."""
    copied(tmp_path)
    steps = blocks()
    for name in NEW:
        (tmp_path / name).write_text(steps[name])
    for name, place in TABLES.items():
        *imports, entry = steps[name].splitlines(keepends=True)
        text = _after((tmp_path / name).read_text(), place, entry)
        first = text.index("\nfrom edgeopt.")
        (tmp_path / name).write_text(text[: first + 1] + "".join(imports) + text[first + 1 :])
    shutil.copy(ROOT / "examples" / "digits.onnx", tmp_path)
    shutil.copy(ROOT / "examples" / "digits.cal.npz", tmp_path / "digits.npz")
    return tmp_path


def test_the_technique_of_the_page_is_searched_with(extended: Path) -> None:
    found = python(extended, "-c", SEARCH)
    assert found.returncode == 0, found.stderr
    assert "ternary-weights" in (extended / "digits.edgeopt" / "report.html").read_text()
    listed = python(extended, "-c", "from edgeopt.cli.main import main; main()", "forms")
    assert "weights of -1, 0 and 1" in listed.stdout, listed.stderr


def test_a_technique_touches_four_files(extended: Path) -> None:
    files = [p.relative_to(ROOT) for folder in ("edgeopt", "passes", "kernels") for p in (ROOT / folder).rglob("*.py")]
    changed = {str(f) for f in files if (ROOT / f).read_bytes() != (extended / f).read_bytes()}
    assert changed == set(TABLES) and len(NEW) == 4


def test_the_technique_of_the_page_is_clean(extended: Path) -> None:
    checked = python(extended, "-m", "ruff", "check", *NEW)
    assert checked.returncode == 0, checked.stdout
    formatted = python(extended, "-m", "ruff", "format", "--check", *NEW)
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr
