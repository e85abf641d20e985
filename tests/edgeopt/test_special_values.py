"""NaN, infinities, signed zeros, denormals and ties: what docs/operators.md promises, interpreted and compiled."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import edgeopt
from edgeopt.frontend import load
from edgeopt.interpret import interpret
from tests.edgeopt.operator_versions import Case, Constant, model_of, whole
from tests.edgeopt.runtime_oracle import run

NAN, INF = np.float32(np.nan), np.float32(np.inf)
ROW = np.asarray([[1, NAN, 3, -1, INF, -INF, -0.0, 0.0, 1e-42, -1e-42, 2, NAN, 5, -7, 8, 0.5]], np.float32)
FINITE = np.asarray([[1, 3, -1, -0.0, 0.0, 1e-42, -1e-42, 2, 5, -7, 8, 0.5, 3, 3, 2, 1]], np.float32)
INFINITE = np.where(np.isnan(ROW), np.float32(0.25), ROW)
ONE = Constant(np.float32(1))
# onnxruntime and ONNX agree on these.
AGREED = [
    *[Case(op, [ROW]) for op in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Neg", "Floor", "LeakyRelu", "HardSigmoid", "IsNaN")],
    *[Case(op, [ROW, ROW[:, ::-1].copy()], first=8) for op in ("Max", "Min", "Add", "Mul", "Greater", "Equal")],
    *[Case(op, [ROW, ONE], first=8) for op in ("Max", "Min")],
    *[Case(op, [ONE, ROW], first=8) for op in ("Max", "Min")],
    Case("Clip", [ROW, Constant(np.float32(-1)), ONE], first=11),
    Case("Softmax", [np.asarray([[INF, 1], [-INF, -INF], [-INF, 1]], np.float32)], {"axis": 1}, 13),
    *[Case(op, [FINITE], {"axis": 1}) for op in ("ArgMax", "ArgMin")],
    *[Case(op, [FINITE], {"axis": 1, "select_last_index": 1}, 12) for op in ("ArgMax", "ArgMin")],
    *[Case("TopK", [ROW, whole(4)], {"largest": largest}, 11, outputs=2) for largest in (0, 1)],
    *[Case("TopK", [FINITE, whole(5)], {"largest": largest}, 11, outputs=2) for largest in (0, 1)],
    *[Case(op, [INFINITE]) for op in ("ReduceMax", "ReduceMin")],
]


@lru_cache
def results(level: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What edgeopt makes of the agreed cases at ``level`` (-1: interpreted), and what onnxruntime does."""
    model, feeds = model_of(AGREED, 13)
    if level < 0:
        return interpret(load(model), feeds), run(model, feeds)
    return edgeopt.compile(model, level=level).run(feeds), run(model, feeds)


@pytest.mark.parametrize("level", [-1, 1])
def test_as_onnxruntime(level: int) -> None:
    actual, expected = results(level)
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, 1e-5, 1e-6, err_msg=name)


def planes(position: int) -> Any:
    """Sixteen 4x4 maps that rise, with NaN at one place."""
    maps = np.tile(np.arange(16, dtype=np.float32), (16, 1))
    maps[:, position] = NAN
    return maps.reshape(1, 16, 4, 4)


@pytest.mark.parametrize("level", [-1, 0, 1])
def test_nan_is_the_maximum_wherever_it_lies(level: int) -> None:
    """As in onnx.reference. In onnxruntime it depends on the place: pools see it in the last lane, ReduceMax at the start."""
    cases = [
        case
        for position in (0, 5, 15)
        for case in (
            Case("MaxPool", [planes(position)], {"kernel_shape": [4, 4]}),
            Case("GlobalMaxPool", [planes(position)]),
            Case("ReduceMax", [planes(position).reshape(16, 16), whole(1)], first=18),
            Case("ReduceMin", [planes(position).reshape(16, 16), whole(1)], first=18),
        )
    ]
    model, feeds = model_of(cases, 18)
    outputs = interpret(load(model), feeds) if level < 0 else edgeopt.compile(model, level=level).run(feeds)
    assert all(np.isnan(array).all() for array in outputs.values())


def test_a_maximum_with_its_place_finds_nan_and_the_first_of_ties() -> None:
    x = np.zeros((1, 1, 2, 6), np.float32)
    x[0, 0, 1, 1], x[0, 0, :, 4:] = NAN, -INF
    model, feeds = model_of([Case("MaxPool", [x], {"kernel_shape": [2, 2], "strides": [2, 2]}, outputs=2)], 12)
    largest, place = edgeopt.compile(model).run(feeds).values()
    np.testing.assert_array_equal(largest.reshape(-1), [NAN, 0, -INF])
    np.testing.assert_array_equal(place.reshape(-1), [7, 2, 4])


@pytest.mark.parametrize(("low", "high"), [(None, 1.0), (0.0, None), (None, None)])
def test_a_limit_left_out_of_clip_is_the_largest_finite_number(low: float | None, high: float | None) -> None:
    limits = [None if limit is None else Constant(np.float32(limit)) for limit in (low, high)]
    model, feeds = model_of([Case("Clip", [ROW, *limits])], 13)
    (expected,), (actual,) = run(model, feeds).values(), interpret(load(model), feeds).values()
    np.testing.assert_array_equal(actual, expected)


def test_infinities_survive_a_resize() -> None:
    case = Case("Resize", [INFINITE.reshape(1, 1, 4, 4), None, Constant(np.asarray([1, 1, 2, 2], np.float32))])
    model, feeds = model_of([case], 13)
    (expected,), (actual,) = run(model, feeds).values(), interpret(load(model), feeds).values()
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_a_power_that_no_whole_number_is_gives_the_lowest(kind: Any) -> None:
    model, feeds = model_of([Case("Pow", [np.asarray([2, -3, 2, 1000], kind), np.asarray([2.5, 2.5, -1, 9e3], np.float32)])], 15)
    (power,) = edgeopt.compile(model).run(feeds).values()
    assert power.dtype == kind and power.tolist() == [5, np.iinfo(kind).min, 0, np.iinfo(kind).min]
