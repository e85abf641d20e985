"""`edgeopt why DIR`: every layer's form with the passes that made it, and what to change, by the manifest."""

from __future__ import annotations

from pathlib import Path

import edgeopt
from edgeopt.examine.explained import explain, passes_of
from tests.edgeopt.command_line import edgeopt as command
from tests.edgeopt.test_exchange import classifier


def test_forms_lead_to_their_passes() -> None:
    assert passes_of("float32") == ()
    assert passes_of("16x4-50 + w8a8") == (*passes_of("16x4-50"), *passes_of("w8a8"))
    assert "prune" in passes_of("16x4-50") and "quantize" in passes_of("w8a8")


def test_the_story_of_a_compiled_model(tmp_path: Path) -> None:
    model, data = classifier()
    made = edgeopt.compress(model, data=data, max_drop=1.0)
    made.save(tmp_path / "small")
    found, record = explain(tmp_path / "small"), made.manifest["quantization"]
    assert [row.layer for row in found.layers] == [r["layer"] for r in sorted(record["layers"], key=lambda r: -r["seconds"])]
    assert all(row.bytes is not None and row.bytes_before is not None and row.bytes < row.bytes_before for row in found.layers)
    assert all(row.passes for row in found.layers if row.form != "float32")
    worst = max(found.layers, key=lambda row: row.error or 0.0)
    text = "\n".join(found.suggestions)
    assert f"--keep-float {worst.layer}" in text and "for bytes:" in text
    assert f"the budget: {record['before'] - record['after']:.2f} of 1 points are used" in text
    told = command("why", str(tmp_path / "small"))
    assert told.exit_code == 0 and f"--keep-float {worst.layer}" in told.stdout


def test_a_model_that_was_not_approximated_says_so(tmp_path: Path) -> None:
    edgeopt.compile(classifier()[0]).save(tmp_path / "exact")
    assert explain(tmp_path / "exact").suggestions == ("nothing was approximated: -O3 with --data does that within --max-drop",)
