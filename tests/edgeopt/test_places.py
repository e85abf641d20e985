"""A place where nothing can be written is refused before the work, by every command that writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.files import refuse_place
from tests.edgeopt.command_line import DIGITS, EVALUATION
from tests.edgeopt.command_line import edgeopt as command

COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "partition": ("partition", DIGITS, "--tiers", "wifi", "-o"),
    "split": ("partition", DIGITS, "--split", "grid", "-o"),
    "exits": ("exits", DIGITS, "--data", EVALUATION, "-o"),
    "compile": ("compile", DIGITS, "-o"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_where_a_folder_is_to_be_is_refused_first(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeopt.frontend.load", lambda *given, **more: pytest.fail("the work was begun"))
    monkeypatch.setattr("edgeopt.compiler.compile", lambda *given, **more: pytest.fail("the work was begun"))
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        found = command(*COMMANDS[name], place)
        assert found.exit_code == 1 and "file" in found.stderr and "Traceback" not in found.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_is_not_there_holds_no_file(tmp_path: Path) -> None:
    for place in (tmp_path / "missing" / "y.npz", tmp_path):
        with pytest.raises(EdgeoptError, match="missing' is not there|is a folder, not a file"):
            refuse_place(place)
    refuse_place(tmp_path / "y.npz")
    refuse_place(tmp_path / "a" / "b", folder=True)


@pytest.mark.parametrize("option", [("--tune",), ("--weights", "raw"), ("--max-ram", "20k"), ("--max-flash", "1M")])
def test_options_about_code_do_not_go_with_a_file_that_holds_none(option: tuple[str, ...]) -> None:
    found = command("compile", DIGITS, "--emit", "onnx", *option)
    assert found.exit_code == 2 and f"{option[0]} is about code" in found.stderr
