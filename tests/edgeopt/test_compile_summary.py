"""The last line of ``compile``: of a C library the arena that its header asks for, on this machine the scratch of each thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeopt.cli.summary import LIBRARY, _sizes


@pytest.mark.parametrize(
    ("library", "scratch", "words"),
    [
        (True, 594_432, "ARENA_BYTES 1,271.8 kB (594.4 of them scratch)"),
        (True, 0, "ARENA_BYTES 677.4 kB"),
        (False, 594_432, "arena 677.4 kB, scratch 594.4 kB a thread"),
        (False, 0, "arena 677.4 kB"),
    ],
)
def test_the_arena_that_has_to_be_provided_is_named(tmp_path: Path, library: bool, scratch: int, words: str) -> None:
    manifest: Any = {"source_bytes": 0, "weights_bytes": 1000, "arena_bytes": 677_376, "scratch_bytes": scratch}
    if library:
        (tmp_path / LIBRARY).touch()
    said = _sizes(manifest, tmp_path)
    assert said.endswith(f"in memory weights 1.0 kB, {words}") and ("sources and archives" in said) == library
