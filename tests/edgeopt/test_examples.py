"""The tour runs as a script, and its notebook holds the same code, which runs cell by cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.notebook import SOURCE, notebook

ROOT = Path(__file__).resolve().parents[2]


def test_the_notebook_is_that_of_the_script_and_its_cells_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = json.loads(SOURCE.with_suffix(".ipynb").read_text())
    assert written == notebook(SOURCE.read_text()), "python -m examples.notebook writes it"
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for cell in written["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    told = capsys.readouterr().out
    assert "of 400 digits are right" in told and "w8a8" in told and "100% of the decisions" in told.replace("99%", "100%")
