"""edgeopt compile."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import onnx
import pytest

from edgeopt.cli.options import Points
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from tests.edgeopt.command_line import DIGITS, EVALUATION, compiled, edgeopt


def test_writes_an_artifact_that_knows_its_signature(tmp_path: Path) -> None:
    manifest = json.loads((compiled(tmp_path, "-O2") / "manifest.json").read_text())
    assert [(i["name"], i["dtype"], i["shape"]) for i in manifest["inputs"]] == [("image", "float32", [1, 1, 8, 8])]
    assert [(o["name"], o["shape"]) for o in manifest["outputs"]] == [("logits", [1, 10])]
    assert manifest["passes"]["decompose_batch_norm"] == 5


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_level_keeps_the_decisions(tmp_path: Path, level: int) -> None:
    directory, output = compiled(tmp_path, f"-O{level}"), tmp_path / "y.npz"
    assert edgeopt("run", directory, "--input", EVALUATION, "--output", output).exit_code == 0
    with np.load(output) as results, np.load(EVALUATION) as data:
        assert np.mean(results["logits"].argmax(1) == data["labels"]) >= 0.97


def test_shape_binds_the_batch(tmp_path: Path) -> None:
    manifest = json.loads((compiled(tmp_path, "--shape", "image=5,1,8,8") / "manifest.json").read_text())
    assert manifest["inputs"][0]["shape"] == [5, 1, 8, 8]


def test_an_open_batch_is_noted(tmp_path: Path) -> None:
    result = edgeopt("compile", DIGITS, "-o", tmp_path / "d")
    assert "'N'" in result.stderr and "1" in result.stderr


@pytest.mark.parametrize("portable", [False, True])
def test_emit_onnx_writes_a_model_with_the_same_numbers(tmp_path: Path, portable: bool) -> None:
    path = tmp_path / "fast.onnx"
    result = edgeopt("compile", DIGITS, "--emit", "onnx", "-o", path, *(["--portable"] if portable else []))
    assert result.exit_code == 0, result.stderr
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert ("ai.edgeopt" in {node.domain for node in model.graph.node}) is not portable
    x = {"image": np.load(EVALUATION)["image"][:1]}
    np.testing.assert_allclose(interpret(load(path), x)["logits"], interpret(load(DIGITS), x)["logits"], rtol=1e-4, atol=1e-4)


def test_stop_after_counts_single_rewrites(tmp_path: Path) -> None:
    directory = compiled(tmp_path, "--stop-after", "7")
    assert sum(json.loads((directory / "manifest.json").read_text())["passes"].values()) == 7


def test_passes_selects(tmp_path: Path) -> None:
    directory = compiled(tmp_path, "--passes", "canonicalize_conv")
    assert json.loads((directory / "manifest.json").read_text())["passes"] == {"canonicalize_conv": 5}


def test_explain_and_time_passes_report(tmp_path: Path) -> None:
    result = edgeopt("compile", DIGITS, "-o", tmp_path / "d", "--explain", "--time-passes")
    assert "fuse_activation" in result.stdout and "because" in result.stdout and "ms" in result.stdout


def test_print_after_shows_the_graph(tmp_path: Path) -> None:
    result = edgeopt("compile", DIGITS, "-o", tmp_path / "d", "--print-after", "fuse_residual")
    assert result.stderr.count("# after ") == result.stderr.count("# after fuse_residual") > 0
    assert "graph digits(" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--passes", "no_such_pass"], 1, "no_such_pass"),
        (["--print-after", "no_such_pass"], 2, "no_such_pass"),
        (["--target", "no_such_target"], 2, "no_such_target"),
        (["--shape", "picture=1,1,8,8"], 1, "picture"),
        (["--shape", "image=1,1,eight"], 2, "NAME=1,3,224,224"),
        (["-O4"], 2, "-O"),
        (["--portable"], 2, "--emit onnx"),
    ],
)
def test_failures_are_one_message(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    result = edgeopt("compile", DIGITS, "-o", tmp_path / "d", *arguments)
    assert result.exit_code == code
    assert message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "d").exists()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(DIGITS.read_bytes()[:5000])
    result = edgeopt("compile", broken, "-o", tmp_path / "d")
    assert result.exit_code == 1 and "broken.onnx" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(("name", "message"), [("digits.onnx", "is the model itself"), ("mine.txt", "is no .onnx file")])
def test_an_onnx_file_replaces_nothing_but_its_like(name: str, message: str, tmp_path: Path) -> None:
    model = tmp_path / "digits.onnx"
    model.write_bytes(DIGITS.read_bytes())
    (tmp_path / "mine.txt").write_text("mine")
    before = (tmp_path / name).read_bytes()
    result = edgeopt("compile", str(model), "--emit", "onnx", "-o", str(tmp_path / name))
    assert result.exit_code == 1 and message in result.stderr
    assert (tmp_path / name).read_bytes() == before


def test_points_may_have_the_sign_of_percent() -> None:
    assert Points(min=0).convert("1.5%", None, None) == 1.5
    with pytest.raises(click.BadParameter, match="'x%'|'x'"):
        Points(min=0).convert("x%", None, None)
