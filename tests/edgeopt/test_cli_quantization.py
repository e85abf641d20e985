"""edgeopt compile with a budget, and edgeopt why."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.edgeopt.command_line import DIGITS, EVALUATION, EXAMPLES, answered, edgeopt

CALIBRATION = EXAMPLES / "digits.cal.npz"


def test_a_budget_is_reported_and_kept(tmp_path: Path) -> None:
    directory = tmp_path / "digits.edgeopt"
    given = ("--data", EVALUATION, "--calibration", CALIBRATION, "-o", directory)
    result = edgeopt("compile", DIGITS, "-O3", "--quantize", "w8a8", *given)
    assert result.exit_code == 0, result.stderr
    assert "decisions as in float" in result.stdout and "latency ms, measured" in result.stdout
    assert "quantised to w8a8" in result.stderr and "samples" in result.stderr
    about = json.loads((directory / "manifest.json").read_text())["quantization"]
    assert about["metric"] == "accuracy" and about["before"] - about["after"] <= 1.0


@pytest.mark.parametrize(("scheme", "share"), [("w8a8", 0.45), ("w4", 0.30), ("fp16", 0.60)])
def test_exported_models_are_small_and_standard(tmp_path: Path, scheme: str, share: float) -> None:
    path = tmp_path / "digits.onnx"
    result = edgeopt("compile", DIGITS, "--quantize", scheme, "--emit", "onnx", "--calibration", CALIBRATION, "-o", path)
    assert result.exit_code == 0, result.stderr
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert path.stat().st_size < share * DIGITS.stat().st_size


def test_an_unknown_scheme_lists_those_there_are() -> None:
    result = edgeopt("compile", DIGITS, "--quantize", "w9a9")
    assert result.exit_code == 1 and "w4a8" in result.stderr


def test_data_of_another_shape_is_refused(tmp_path: Path) -> None:
    result = edgeopt("compile", DIGITS, "-O3", "--data", DIGITS)
    assert result.exit_code == 1 and "npz archive" in result.stderr


def test_why_names_every_layer() -> None:
    result = edgeopt("why", DIGITS, "--data", EVALUATION, "--calibration", CALIBRATION, "--samples", "16", "--json")
    assert result.exit_code == 0, result.stderr
    record = answered(result)
    assert len(record["layers"]) >= 4 and record["suggestion"]
    assert all(row["bytes_after"] * 4 == row["bytes_before"] for row in record["layers"])
    assert record["layers"] == sorted(record["layers"], key=lambda row: -row["without_ratio"])


@pytest.mark.parametrize("target", ["host", "cortex-a76"])
def test_bench_says_which_layers_pay(target: str) -> None:
    result = edgeopt("bench", DIGITS, "--quantize", "w8a8", "--target", target, "-O3", "--json")
    assert result.exit_code == 0, result.stderr
    record = answered(result)
    assert record["measured"] == (target == "host") and len(record["layers"]) >= 5
    for row in [*record["layers"], record["totals"]]:
        before, after = row["float_seconds"], row["seconds"]
        assert row["pays"] == (None if min(before, after) < 1e-7 else after < before)  # 0.1 µs, below which nothing tells
    assert record["totals"]["pays"] is not None
    table = edgeopt("bench", DIGITS, "--quantize", "w8a8", "--target", target, "-O3")
    assert "pays in" in table.stdout and record["layers"][0]["layer"] in table.stdout


def test_bench_refuses_to_time_code_for_another_processor() -> None:
    assert edgeopt("bench", DIGITS, "--target", "cortex-a53").exit_code == 2


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_the_rule_of_the_ranges_can_be_given(method: str, tmp_path: Path) -> None:
    given = ("--quantize", "w8a8", "--calibration", CALIBRATION, "--method", method, "--emit", "onnx")
    named, chosen = tmp_path / "named.onnx", tmp_path / "auto.onnx"
    assert edgeopt("compile", DIGITS, *given, "-o", named).exit_code == 0
    assert edgeopt("compile", DIGITS, *given[:4], *given[6:], "-o", chosen).exit_code == 0
    assert named.read_bytes() != chosen.read_bytes()


def test_the_command_offers_the_rules_there_are() -> None:
    from edgeopt.cli.compile import METHODS
    from edgeopt.forms.quantize.grids import RULES
    from edgeopt.forms.quantize.recipe import AUTO

    assert set(METHODS) == {AUTO, *RULES}
