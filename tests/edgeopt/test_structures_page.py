"""The rules that docs/structures.md shows are those that run, and the page names every technique of structure."""

from __future__ import annotations

import re
from pathlib import Path

from edgeopt.forms.registry import TECHNIQUES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "structures.md").read_text()


def test_the_rules_of_the_page_are_those_of_the_project() -> None:
    blocks = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    assert len(blocks) == 3
    for name, text in blocks.items():
        source = (ROOT / name).read_text()
        assert source == text or all(line in source for line in text.splitlines()) and name.endswith("registry.py"), name


def test_the_page_names_every_technique_of_structure() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert named == [t.name for t in TECHNIQUES if t.axis == "structure"]
