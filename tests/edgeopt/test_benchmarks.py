"""Every program of the benchmarks finds what it imports of edgeopt and of the others; what it measures is no test's business."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__init__")
OURS = ("edgeopt", "benchmarks", "tests", "docs", "examples")


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_find_what_they_import(name: str) -> None:
    try:
        importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in OURS:
            raise
        pytest.skip(f"benchmarks.{name} needs '{error.name}', which is not installed")
