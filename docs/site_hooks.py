"""Pages of the site that are made from the code: the catalogue of passes, from their docstrings."""

from __future__ import annotations

import inspect
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add ``passes.md``."""
    files.append(File.generated(config, "passes.md", content=catalogue()))
    return files


def catalogue() -> str:
    """Every pass in the order in which it runs: why it is there, its contract, and what its file says of it."""
    from edgeopt.pipeline import LAST, PIPELINE

    lines = ["# Passes", "", "In the order in which they run from `-O1` on; `edgeopt passes` prints the same list.", ""]
    for step in (*PIPELINE, *LAST):
        module = inspect.getmodule(step.pass_.rewrite)
        about = inspect.cleandoc((module.__doc__ if module is not None else "") or "")
        lines += [f"## `{step.pass_.name}`", "", f"*{step.pass_.contract}*: {step.why}", "", about, ""]
    return "\n".join(lines)
