"""`edgeopt why --forms`: layers are to blame in any technique's forms, and what to change is said in figures that add up."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeopt
from edgeopt.errors import EdgeoptError
from edgeopt.examine.advice import advice
from edgeopt.search.why import LayerBlame
from tests.edgeopt.test_exchange import classifier


def blamed(layer: str, without: float, seconds: tuple[float, float] = (5e-6, 2e-6)) -> LayerBlame:
    return LayerBlame(layer, 30.0, 30.0, 20.0 + without, -1.0, without, 100, 4000, 1000, *seconds)


def test_a_point_is_given_back_by_the_layers_that_gain_most() -> None:
    rows = [blamed("a", -2.4), blamed("b", -2.0, (2e-6, 3e-6)), blamed("c", -3.0)]
    accuracy, slower, time, size = advice(rows, -3.0)
    assert "of 3.00 points lost, --keep-float b gives back 1.00, for -1.0 µs and +3,000 bytes" in accuracy
    assert "--keep-float b saves at most 1.0 µs" in slower and "'b' takes most, 3.0 µs, 43 %" in time and "1,000 of 3,000" in size
    both = advice([blamed("a", -2.6), blamed("b", -2.5)], -3.0)[0]
    assert "--keep-float b,a gives back 0.90 if what they gain adds up, for +6.0 µs and +6,000 bytes" in both
    assert "no single layer" in advice([blamed("a", -3.0)], -3.0)[0] and "nothing is lost" in advice([blamed("a", 0.0)], 0.0)[0]
    assert advice([], -3.0) == ()


def test_forms_of_several_techniques_are_blamed_together(tmp_path: Path) -> None:
    model, data = classifier()
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    found = edgeopt.why(path, data, forms="unstructured-90,w4", samples=80)
    gentle = edgeopt.why(path, data, forms="w8", samples=80)
    assert {row.layer for row in found.layers} == {"first", "second", "third"}
    assert found.signal_to_noise < gentle.signal_to_noise and found.change < -5 < gentle.change
    first = next(row for row in found.layers if row.layer == "first")
    assert first.bytes_after < first.bytes_before / 8  # coded: the zeros take next to nothing, while w4 alone is an eighth
    assert all(row.own < 30 for row in found.layers) and found.advice[0].startswith("for accuracy: of ")
    with pytest.raises(EdgeoptError, match="exit is no form of a layer"):
        edgeopt.why(path, data, forms="exit")
