"""Writes tour.ipynb from tour.py, a cell for each part that begins with ``# %%``. Run it as `python -m examples.notebook`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("tour.py")


def notebook(source: str) -> dict[str, Any]:
    """The notebook of a script, in nbformat 4."""
    cells = []
    for number, part in enumerate(source.split("# %%")[1:]):
        head, _, body = part.partition("\n")
        text = head.strip() == "[markdown]"
        lines = body.strip("\n").splitlines(keepends=True)
        lines = [line.removeprefix("# ").removeprefix("#") for line in lines] if text else lines
        cell: dict[str, Any] = {
            "cell_type": "markdown" if text else "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": lines,
        }
        cells.append(cell if text else {**cell, "execution_count": None, "outputs": []})
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    made = json.dumps(notebook(SOURCE.read_text()), indent=1) + "\n"
    SOURCE.with_suffix(".ipynb").write_text(made)
