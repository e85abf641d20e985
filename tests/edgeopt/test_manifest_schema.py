"""Manifests and the records of reports fit their published schemas, which have the versions that are written and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

import edgeopt
from edgeopt.cli.schema import FILES
from edgeopt.report.page import page
from edgeopt.report.record import VERSION
from edgeopt.runtime.manifest_check import MANIFEST_FIELDS
from edgeopt.runtime.marks import FORMAT
from tests.edgeopt import small_models
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_exchange import classifier

RULES, REPORT = (json.loads(FILES[name].read_text()) for name in ("manifest", "report"))


def misfits(record: Any, rules: Any) -> list[str]:
    """What of a record its schema does not allow."""
    return [f"{error.json_path}: {error.message[:300]}" for error in Draft202012Validator(rules).iter_errors(record)]


def problems(folder: Path) -> list[str]:
    manifest, report = (json.loads((folder / name).read_text()) for name in ("manifest.json", "report.json"))
    assert page(report) == (folder / "report.html").read_text()  # which is made of nothing else
    return [*misfits(manifest, RULES), *misfits(report, REPORT)]


def test_the_schema_is_of_the_format_that_is_written_and_names_what_is_checked() -> None:
    Draft202012Validator.check_schema(RULES)
    assert RULES["properties"]["format"]["const"] == FORMAT
    assert MANIFEST_FIELDS.keys() <= set(RULES["required"])
    assert command("schema", "manifest").stdout == FILES["manifest"].read_text()
    Draft202012Validator.check_schema(REPORT)
    for kind in ("model", "plan"):
        assert REPORT["$defs"][kind]["properties"]["report"]["const"] == VERSION
    assert command("schema", "report").stdout == FILES["report"].read_text()


def test_the_manifest_of_a_library_fits(tmp_path: Path) -> None:
    asked = edgeopt.Options(interface=("codes", "arena"))
    edgeopt.compile(small_models.convolution(), 1, "cortex-m4", options=asked).save(tmp_path / "m")
    assert not problems(tmp_path / "m")


def test_manifests_with_a_host_step_and_of_a_compressed_network_fit(tmp_path: Path) -> None:
    edgeopt.compile(small_models.loop(), level=0).save(tmp_path / "host")
    model, data = classifier()
    edgeopt.compress(model, data=data, max_drop=1.0).save(tmp_path / "small")
    assert not problems(tmp_path / "host") and not problems(tmp_path / "small")
    manifest, report = (json.loads((tmp_path / "small" / name).read_text()) for name in ("manifest.json", "report.json"))
    assert {"quantization", "compression"} <= manifest.keys()
    wrong = {**manifest, "more": 1, "format": FORMAT + 1}
    assert len(list(Draft202012Validator(RULES).iter_errors(wrong))) == 2
    assert misfits({**report, "report": VERSION + 1}, REPORT) and misfits({**report, "layers": [{}]}, REPORT)
    before, after = report["summary"]["before"], report["summary"]["after"]
    assert before["nodes"] == 5 and before["macs"] == 40 * 48 + 48 * 32 + 32 * 8 == after["macs"]
    assert after["nodes"] == len(report["nodes"]) and before["right"] - after["right"] <= 1.0
    assert sum(kernel["calls"] for kernel in report["kernels"]) == report["steps"] and report["passes"]
    assert any(layer["stored_bytes"] for layer in report["layers"] if layer["form"] != "float32")
