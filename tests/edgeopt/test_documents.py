"""What README.md and docs/architecture.md say is so: commands run as printed, every part is named, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from edgeopt.cli.main import main
from tests.edgeopt.command_line import EXAMPLES, edgeopt
from tests.edgeopt.emulation import needs_tool

ROOT = Path(__file__).resolve().parents[2]
README, ARCHITECTURE = (ROOT / "README.md").read_text(), (ROOT / "docs" / "architecture.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def beside_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory that has the examples in it, as a clone does."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_readme_run(beside_the_examples: Path) -> None:
    needs_tool("openssl")
    pytest.importorskip("cryptography")
    commands = re.findall(r"^    ((?:edgeopt|openssl) .+)$", README, re.MULTILINE)
    assert len(commands) >= 2
    for program, *words in map(shlex.split, commands):
        if program == "edgeopt":
            result = edgeopt(*words)
            assert result.exit_code == 0, f"{words}\n{result.stderr}"
        else:
            subprocess.run([program, *words], check=True, capture_output=True)
    assert (beside_the_examples / "logits.npz").is_file()


def test_the_python_of_the_readme_runs(beside_the_examples: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    outputs = names["outputs"]
    assert isinstance(outputs, dict) and outputs["logits"].shape == (1, 10)


def test_the_readme_names_every_command() -> None:
    named = set(re.findall(r"`edgeopt (\w+)", README))
    assert named == set(main.commands)


def test_the_architecture_names_every_part() -> None:
    parts = {path.stem for path in (ROOT / "edgeopt").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    unnamed = [part for part in sorted(parts - {"__init__"}) if not re.search(rf"\b{part}(\.py|/)", ARCHITECTURE)]
    assert unnamed == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
