"""What --json prints: one object of one schema for every command, on success and on failure; nothing else on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from onnx import save

from edgeopt.cli.answer import SCHEMA, SCHEMA_FILE
from edgeopt.cli.main import COMMANDS, main
from edgeopt.explore.front_file import Front
from edgeopt.explore.point import Point
from tests.edgeopt import small_models
from tests.edgeopt.command_line import CALIBRATION, DIGITS, EVALUATION, compiled, edgeopt

RULES = json.loads(SCHEMA_FILE.read_text())
VALIDATOR = Draft202012Validator(RULES)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"
NEED_A_LABELLED_NETWORK = {"exits"}  # fits classifiers for seconds: tests/edgeopt/exits validates it
NEED_MORE = {
    "serve",
    "sign",
    "calibrate",
    "partition",
    "tune",
    "explore",
}  # failures only: they listen, need a key, extras or a minute


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("json"))


def front_file(folder: Path) -> Path:
    """What an exploration writes."""
    point = Point(98.0, 1e-3, 2e4, 1e-6, 4e3, {"conv": {"quantize": "w8a8"}}, None, True)
    path = folder / "front.json"
    path.write_text(Front("m.onnx", "host", 3, point, [point]).text())
    return path


def valid(*arguments: str | Path) -> dict[str, Any]:
    """What a command prints, which must fit the schema."""
    result = edgeopt(*arguments, "--json")
    record: dict[str, Any] = json.loads(result.stdout)
    errors = [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(record)]
    assert not errors, (arguments, errors)
    assert record["exit_code"] == result.exit_code and record["ok"] == (result.exit_code == 0)
    return record


def test_the_schema_is_one_and_names_every_command() -> None:
    Draft202012Validator.check_schema(RULES)
    names = {command.name for command in COMMANDS}
    assert set(RULES["properties"]["command"]["enum"]) == names | {None}
    assert RULES["properties"]["schema"]["const"] == SCHEMA and names <= set(RULES["$defs"])
    assert all(f"`{name}`" in PAGE.read_text() for name in names)
    assert edgeopt("schema").stdout == SCHEMA_FILE.read_text()


def test_every_command_answers(artifact: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", image=np.load(EVALUATION)["image"][:3])
    data = ("--data", EVALUATION)
    commands: dict[str, list[tuple[str | Path, ...]]] = {
        "compile": [
            (DIGITS, "-o", tmp_path / "a"),
            (DIGITS, "-O3", *data, "--calibration", CALIBRATION, "-o", tmp_path / "b"),
            (DIGITS, "--emit", "onnx", "-o", tmp_path / "c.onnx", "--explain", "--time-passes"),
        ],
        "compress": [(DIGITS, "-o", tmp_path / "d")],
        "run": [(artifact, "--input", tmp_path / "x.npz", "--output", tmp_path / "y.npz")],
        "eval": [(artifact, *data), (artifact, *data, "--against", DIGITS, "--max-drop", "1", "--samples", "20")],
        "bench": [(artifact, "--seconds", "0.02", "--layers"), (DIGITS, "--quantize", "w8a8", "--target", "cortex-a53")],
        "inspect": [(DIGITS,), (artifact,), (artifact, "--bytes"), (DIGITS, "--target", "cortex-a53")],
        "verify": [(DIGITS, artifact)],
        "bisect": [(DIGITS,)],
        "why": [(DIGITS, *data, "--samples", "8"), (artifact,)],
        "profile": [(DIGITS, "--seconds", "0.1", "-o", tmp_path / "profile.json")],
        "select": [(front_file(tmp_path), "--condition", "latency<=1s")],
        **{name: [()] for name in ("targets", "passes", "forms", "ops", "schema")},
    }
    assert set(commands) | NEED_MORE | NEED_A_LABELLED_NETWORK == {command.name for command in COMMANDS}
    for name, calls in commands.items():
        for arguments in calls:
            record = valid(name, *arguments)
            assert record["ok"] and record["command"] == name and record["result"] is not None


def test_every_command_fails_in_the_same_form(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for command in COMMANDS:
        record = valid(str(command.name), "--no-such-option")
        assert record["error"]["kind"] == "usage" and record["exit_code"] == 2 and record["command"] == command.name
    for name in ("compile", "compress", "inspect", "bench", "why"):
        record = valid(name, broken)
        assert record["error"]["kind"] == "failure" and record["exit_code"] == 1 and str(broken) in record["error"]["message"]
    assert "--data" in valid("eval", broken)["error"]["message"], "what is missing is named"
    assert "MODEL" in valid("eval")["error"]["message"]
    assert valid("no-such-command")["command"] is None
    assert valid("--no-such-option", "compile")["exit_code"] == 2


def test_a_gate_that_says_no_is_no_failure(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    save(small_models.convolution(), other)
    another = small_models.convolution()
    another.graph.initializer[0].CopyFrom(small_models.weight("w", 4, 3, 3, 3))
    save(another, tmp_path / "another.onnx")
    assert edgeopt("compile", other, "-o", tmp_path / "made").exit_code == 0
    record = valid("verify", tmp_path / "another.onnx", tmp_path / "made")
    assert record["exit_code"] == 1 and record["error"] is None and record["result"]["passed"] is False


def test_an_internal_error_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("\x1b[2Jno")

    monkeypatch.setattr("edgeopt.target.host", fails)
    record = valid("targets")
    assert (
        record["error"] == {"kind": "internal", "message": record["error"]["message"]} and "\\x1b" in record["error"]["message"]
    )


def test_without_json_nothing_of_it_is_printed() -> None:
    assert not CliRunner().invoke(main, ["targets"]).stdout.startswith("{")
