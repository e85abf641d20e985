"""`edgeopt why DIR`: every layer's form with the passes that made it, and what to change, by the manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import edgeopt
from edgeopt.examine.explained import _room, explain, passes_of
from tests.edgeopt import small_models
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
    lost = record["before"] - record["after"]
    assert (f"the budget: {lost:.2f} of 1 points are used" if lost >= 0 else "the budget: none of 1 points") in text
    fired = set(made.manifest["passes"])
    assert all(set(row.passes) <= fired for row in found.layers)
    told = command("why", str(tmp_path / "small"))
    unused = command("why", str(tmp_path / "small"), "--forms", "w8a8")
    assert unused.exit_code == 2 and "--forms has no effect here" in unused.stderr
    assert told.exit_code == 0 and f"--keep-float {worst.layer}" in told.stdout
    tables = told.stdout.partition("for accuracy:")[0]
    assert max(map(len, tables.splitlines())) <= 80 and "stored" in tables


def test_a_trained_model_is_told_of_recipes_and_of_no_budget(tmp_path: Path) -> None:
    model, data = classifier()
    onnx.save(model, tmp_path / "model.onnx")
    np.savez(tmp_path / "eval.npz", labels=data.labels, **data.arrays)  # type: ignore[arg-type]
    made = edgeopt.compile(model, data=data, max_drop=50.0, options=edgeopt.Options(quantize="w8a8"))
    made.manifest["quantization"] |= {"before": 99.1, "after": 98.6, "max_drop": None}
    made.manifest["training"] = {"recipe": "qat", "seed": 0, "steps": 420, "batch": 32, "trained_on": 540, "held_out": 60}
    made.save(tmp_path / "trained")
    text = "\n".join(explain(tmp_path / "trained").suggestions)
    assert "0.50 points were lost in 420 steps" in text and "a recipe with a structure" in text
    assert not any(option in text for option in ("--max-drop", "--keep-float", "--forms")), text
    told = command("verify", tmp_path / "model.onnx", tmp_path / "trained", "--input", tmp_path / "eval.npz")
    assert "for which there was no budget; 1 may be, or --max-drop" in told.stderr, told.stderr


@pytest.mark.parametrize("lost, said", [(0.25, "0.25 of 1 points are used"), (-0.75, "none of 1 points, 0.75 gained")])
def test_what_is_left_of_bounds_is_told_as_they_were_given(lost: float, said: str) -> None:
    limits = {"given": {"size": 65536, "memory": 24576}, "figures": {"size": 42120, "memory": 11908}}
    told = _room({"before": 90.25, "after": 90.25 - lost, "max_drop": 1.0}, limits)
    assert told[0] == f"the budget: {said}"
    assert told[1:] == [
        "the bound max_size: 42.12 of 65.536 kB stored, 64 %",
        "the bound max_ram: 11.908 of 24.576 kB of RAM, 48 %",
    ]


def test_a_model_that_was_not_approximated_says_so(tmp_path: Path) -> None:
    edgeopt.compile(classifier()[0]).save(tmp_path / "exact")
    assert explain(tmp_path / "exact").suggestions == ("nothing was approximated: -O3 with --data does that within --max-drop",)
    x, y = (small_models.info(name, (1, 8)) for name in "xy")
    plain = small_models.model([helper.make_node("Relu", ["x"], ["y"])], [x], [y])
    edgeopt.compile(plain, level=3, options=edgeopt.Options(prefer="size")).save(tmp_path / "plain")
    assert [line.partition(":")[0] for line in explain(tmp_path / "plain").suggestions] == ["nothing was quantised"]


def test_bytes_are_those_of_the_file_where_nothing_is_coded(tmp_path: Path) -> None:
    model, data = classifier()
    asked = edgeopt.Options(prefer="size")
    made = edgeopt.compile(model, level=3, data=data, max_drop=50.0, target="cortex-m4", options=asked)
    made.save(tmp_path / "board")
    found, whole = explain(tmp_path / "board"), len(made.files["weights.bin"])
    sizes = [row.bytes for row in found.layers if row.bytes is not None]
    assert len(sizes) == len(found.layers) == 3 and 0.9 * whole < sum(sizes) <= whole


def test_shares_are_of_all_that_is_stored(tmp_path: Path) -> None:
    model, data = classifier()
    edgeopt.compress(model, data=data, max_drop=1.0).save(tmp_path / "small")
    found, most = explain(tmp_path / "small"), "takes most, "
    stored = sum(tensor["stored"] for tensor in edgeopt.load(tmp_path / "small").manifest["storage"]["tensors"])
    said = next(line for line in found.suggestions if line.startswith("for bytes: of these layers "))
    size = int(said.partition(most)[2].partition(" B")[0].replace(",", ""))
    assert f"{100 * size / stored:.0f} % of the weights as stored" in said
