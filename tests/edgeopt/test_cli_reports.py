"""edgeopt inspect, targets, passes and bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeopt.cli.costs import shown
from edgeopt.pipeline import LAST, PIPELINE
from tests.edgeopt.command_line import DIGITS, answered, compiled, edgeopt

# 3x3 from 1 to 16, depthwise 3x3 of 16, 1x1 from 16 to 32 on 8x8; twice 3x3 from 32 to 32 on 4x4; 32 to 10.
DIGITS_MACS = 64 * 9 * 16 + 64 * 9 * 16 + 64 * 16 * 32 + 2 * 16 * 9 * 32 * 32 + 32 * 10


def test_inspect_counts_the_original() -> None:
    report = answered(edgeopt("inspect", DIGITS, "--json"))
    assert report["totals"]["macs"] == DIGITS_MACS
    assert report["totals"]["ops"]["Conv"] == 5
    assert report["layers"][0] == {
        "name": "conv_0",
        "op": "Conv",
        "output": "float32[1,16,8,8]",
        "macs": 64 * 9 * 16,
        "parameter_bytes": 9 * 16 * 4,
    }


def test_inspect_counts_the_compiled_model(tmp_path: Path) -> None:
    report = answered(edgeopt("inspect", compiled(tmp_path), "--json"))
    assert report["totals"]["macs"] == DIGITS_MACS
    assert report["totals"]["nodes"] < 20
    assert report["arena_bytes"] >= report["arena_lower_bound"] > 0


def test_tiny_estimates_are_not_shown_as_nothing() -> None:
    assert [shown(n, 1) for n in (1234.56, 0.05, 0.04, 0.00123, 0.0)] == ["1,234.6", "0.1", "0.04", "0.001", "0.0"]


def test_inspect_follows_the_shape() -> None:
    report = answered(edgeopt("inspect", DIGITS, "--shape", "image=3,1,8,8", "--json"))
    assert report["totals"]["macs"] == 3 * DIGITS_MACS


def test_inspect_prints_a_table() -> None:
    result = edgeopt("inspect", DIGITS)
    assert "batchnormalization_1" in result.stdout and f"{DIGITS_MACS:,} MACs" in result.stdout


def test_targets_lists_facts() -> None:
    report = answered(edgeopt("targets", "--json"))
    assert {"host", "arm", "cortex-a76"} <= set(report)
    assert report["arm"]["triple"].startswith("aarch64")
    assert "cortex-a76" in edgeopt("targets").stdout


def test_passes_lists_the_pipeline_in_order() -> None:
    report = answered(edgeopt("passes", "--json"))
    assert [row["name"] for row in report["passes"]] == [stage.pass_.name for stage in (*PIPELINE, *LAST)]
    assert PIPELINE[0].why in " ".join(edgeopt("passes").stdout.split())


def test_bench_measures_a_model_and_an_artifact(tmp_path: Path) -> None:
    for model in (DIGITS, compiled(tmp_path)):
        report = answered(edgeopt("bench", model, "--seconds", "0.05", "--json"))
        row = report["engines"]["edgeopt"]
        assert row["runs"] >= 5 and 0 < row["minimum_ms"] <= row["median_ms"]


def test_bench_against_onnxruntime(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    result = edgeopt("bench", DIGITS, "--against", "ort", "--threads", "1", "--seconds", "0.05", "--json")
    engines = answered(result)["engines"]
    assert engines["ort"]["runs"] == engines["edgeopt"]["runs"]
    assert engines["ort"]["edgeopt_is_faster_by"] == pytest.approx(
        engines["ort"]["minimum_ms"] / engines["edgeopt"]["minimum_ms"]
    )


def test_bench_refuses_an_unknown_engine() -> None:
    result = edgeopt("bench", DIGITS, "--against", "abacus")
    assert result.exit_code == 1 and "abacus" in result.stderr


def test_debug_shows_the_failure_itself() -> None:
    assert edgeopt("bench", DIGITS, "--against", "abacus").exit_code == 1
    failure = edgeopt("--debug", "bench", DIGITS, "--against", "abacus")
    assert failure.exit_code == 1 and "Traceback" in failure.stderr and "EdgeoptError" in failure.stderr


def test_help_and_version() -> None:
    assert "bisect" in edgeopt("--help").stdout
    assert edgeopt("--version").exit_code == 0
    assert edgeopt("no-such-command").exit_code == 2
