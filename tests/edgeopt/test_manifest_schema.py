"""Manifests fit their published schema, which has the version that loading asks for and every field that loading checks."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

import edgeopt
from edgeopt.cli.schema import FILES
from edgeopt.report.page import page
from edgeopt.runtime.manifest_check import MANIFEST_FIELDS
from edgeopt.runtime.marks import FORMAT
from tests.edgeopt import small_models
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_exchange import classifier

RULES = json.loads(FILES["manifest"].read_text())


def problems(folder: Path) -> list[str]:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert page(manifest)  # which is made of what the schema names
    return [f"{error.json_path}: {error.message[:150]}" for error in Draft202012Validator(RULES).iter_errors(manifest)]


def test_the_schema_is_of_the_format_that_is_written_and_names_what_is_checked() -> None:
    Draft202012Validator.check_schema(RULES)
    assert RULES["properties"]["format"]["const"] == FORMAT
    assert MANIFEST_FIELDS.keys() <= set(RULES["required"])
    assert command("schema", "manifest").stdout == FILES["manifest"].read_text()


def test_the_manifest_of_a_library_fits(tmp_path: Path) -> None:
    asked = edgeopt.Options(interface=("codes", "arena"))
    edgeopt.compile(small_models.convolution(), 1, "cortex-m4", options=asked).save(tmp_path / "m")
    assert not problems(tmp_path / "m")


def test_manifests_with_a_host_step_and_of_a_compressed_network_fit(tmp_path: Path) -> None:
    edgeopt.compile(small_models.loop(), level=0).save(tmp_path / "host")
    model, data = classifier()
    edgeopt.compress(model, data=data, max_drop=1.0).save(tmp_path / "small")
    assert not problems(tmp_path / "host") and not problems(tmp_path / "small")
    manifest = json.loads((tmp_path / "small" / "manifest.json").read_text())
    assert {"quantization", "compression"} <= manifest.keys()
    wrong = {**manifest, "more": 1, "format": FORMAT + 1}
    assert len(list(Draft202012Validator(RULES).iter_errors(wrong))) == 2
