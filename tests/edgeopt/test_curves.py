"""Curves of sensitivity: what each form saves and costs in each layer, and what a search makes of that."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edgeopt.errors import EdgeoptError
from edgeopt.examine.curves import curves
from tests.edgeopt.command_line import DIGITS, EVALUATION, edgeopt


def test_sparser_layers_are_smaller_and_err_more_and_steps_go_the_other_way() -> None:
    found = curves(DIGITS, "unstructured-75", EVALUATION)
    layers = list(dict.fromkeys(point.layer for point in found))
    assert len(layers) >= 3
    for layer in layers:
        exact, *points = (point for point in found if point.layer == layer)
        assert exact.form == "float32" and exact.error == 0
        assert [point.form for point in points] == [f"unstructured-{percent}" for percent in (75, 70, 60, 50, 30)]
        assert all(a.bytes <= b.bytes for a, b in pairwise(points)) and points[0].bytes < exact.bytes
        assert points[0].error > points[-1].error > 0
        taken = sorted((point for point in [exact, *points] if point.step is not None), key=lambda point: point.step or 0)
        assert points[0] not in taken and taken[-1] == exact and all(a.error > b.error for a, b in pairwise(taken))
    steps = sorted(point.step for point in found if point.step is not None)
    assert steps == list(range(1, len(steps) + 1))


def test_the_command_prints_them() -> None:
    unused = edgeopt("why", DIGITS, "--curve", "unstructured-30", "--samples", "8")
    assert unused.exit_code == 2 and "--samples has no effect here" in unused.stderr
    result = edgeopt("why", DIGITS, "--data", EVALUATION, "--curve", "unstructured-30")
    assert result.exit_code == 0 and "unstructured-30" in result.stdout and "float32" in result.stdout


def test_what_no_layer_can_take_is_told() -> None:
    with pytest.raises(EdgeoptError, match="unknown form 'sparse'"):
        curves(DIGITS, "sparse")
