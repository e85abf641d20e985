"""Indices, lengths and coordinates that come at run time stay in range: clamped, as ONNX says, or an error; never foreign memory.

Everything runs between pages that nobody may touch, twice, and what lies around differs: a foreign read shows in the outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from onnx import parser

import edgeopt
from benchmarks.fuzzing.guarded import Guard, guarded_run
from edgeopt import EdgeoptError
from edgeopt.ir import Array

pytestmark = pytest.mark.filterwarnings("ignore:.*runs on the host")
FAR = (-(2**63), -(2**40), -100, -4, -1, 0, 2, 3, 100, 2**40, 2**63 - 1)
X = np.arange(12, dtype=np.float32).reshape(3, 4)
IMAGE = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
ODD = (float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 3e9, 0.5)


def run(text: str, **inputs: Array) -> Array:
    """Output ``y`` of the model, the same in both guards."""
    model = edgeopt.compile(parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {text}'))
    one, other = (guarded_run(model, inputs, Guard(high, fill))["y"] for high, fill in ((True, 0x5A), (False, 0xFF)))
    np.testing.assert_array_equal(one, other)
    return np.asarray(one)


def places(index: Array, extent: int) -> Array:
    """What ``docs/indices.md`` promises: negative ones count from the end, what is outside then is the nearest place."""
    wrapped = [int(i) + extent if i < 0 else int(i) for i in index.reshape(-1)]
    return np.array([min(max(i, 0), extent - 1) for i in wrapped]).reshape(index.shape)


FAR_INDEX = np.array(FAR, np.int64)


def test_gather() -> None:
    y = run("(float[3,4] x, int64[11] i) => (float[a,b] y) { y = Gather(x, i) }", x=X, i=FAR_INDEX)
    np.testing.assert_array_equal(y, X[places(FAR_INDEX, 3)])


def test_gather_elements() -> None:
    at = np.stack([FAR_INDEX] * 4, axis=1)
    y = run("(float[3,4] x, int64[11,4] i) => (float[a,b] y) { y = GatherElements(x, i) }", x=X, i=at)
    np.testing.assert_array_equal(y, np.take_along_axis(X, places(at, 3), 0))


def test_gather_nd() -> None:
    at = np.stack([FAR_INDEX, FAR_INDEX[::-1]], axis=1)
    y = run("(float[3,4] x, int64[11,2] i) => (float[a] y) { y = GatherND(x, i) }", x=X, i=at)
    np.testing.assert_array_equal(y, X[places(at[:, 0], 3), places(at[:, 1], 4)])


def test_scatter_elements() -> None:
    at = np.stack([FAR_INDEX] * 4, axis=1)
    text = '(float[3,4] x, int64[11,4] i, float[11,4] u) => (float[3,4] y) { y = ScatterElements<reduction="add">(x, i, u) }'
    wanted = X.copy()
    np.add.at(wanted, (places(at, 3), np.arange(4)[None, :].repeat(11, 0)), np.ones((11, 4), np.float32))
    np.testing.assert_array_equal(run(text, x=X, i=at, u=np.ones((11, 4), np.float32)), wanted)


def test_scatter_nd() -> None:
    at, updates = FAR_INDEX[:, None], np.ones((11, 4), np.float32)
    text = '(float[3,4] x, int64[11,1] i, float[11,4] u) => (float[3,4] y) { y = ScatterND<reduction="add">(x, i, u) }'
    wanted = X.copy()
    np.add.at(wanted, places(FAR_INDEX, 3), updates)
    np.testing.assert_array_equal(run(text, x=X, i=at, u=updates), wanted)


def test_one_hot_of_an_index_outside_is_off_everywhere() -> None:
    text = "(int64[11] i, float[2] v) => (float[a,b] y) <int64 d = {3}> { y = OneHot(i, d, v) }"
    y = run(text, i=FAR_INDEX, v=np.array([0, 1], np.float32))
    np.testing.assert_array_equal(y.sum(axis=1), [float(-3 <= i < 3) for i in FAR])


def test_reverse_sequence() -> None:
    lengths = np.array([-(2**63), 2, 100, 2**63 - 1], np.int64)
    y = run("(float[3,4] x, int64[4] n) => (float[a,b] y) { y = ReverseSequence(x, n) }", x=X, n=lengths)
    np.testing.assert_array_equal(y, np.stack([X[:, 0], X[[1, 0, 2], 1], X[::-1, 2], X[::-1, 3]], axis=1))


@pytest.mark.parametrize(("op", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_sequence_lengths(op: str, gates: int) -> None:
    """Lengths beyond the steps mean all steps; below zero, none."""
    x, lengths = np.linspace(-1, 1, 24, dtype=np.float32).reshape(3, 4, 2), np.array([-3, -(2**31), 100, 2**31 - 1], np.int32)
    weights = {"w": np.full((1, 2 * gates, 2), 0.3, np.float32), "r": np.full((1, 2 * gates, 2), 0.2, np.float32)}
    types = f"float[1,{2 * gates},2] w, float[1,{2 * gates},2] r"
    text = f'(float[3,4,2] x, {types}, int32[4] n) => (float[a,b,c,d] y) {{ y = {op}<hidden_size=2>(x, w, r, "", n) }}'
    y, whole = (run(text.replace('""', ""), x=x, n=n, **weights) for n in (lengths, np.full(4, 3, np.int32)))
    assert not y[:, :, :2].any()
    np.testing.assert_array_equal(y[:, :, 2:], whole[:, :, 2:])


def test_roi_align_takes_the_nearest_image() -> None:
    text = """(float[1,2,4,4] x, float[11,4] r, int64[11] b) => (float[a,b,c,d] y)
        { y = RoiAlign<output_height=2, output_width=2>(x, r, b) }"""
    rois = np.tile(np.array([0, 0, 3, 3], np.float32), (11, 1))
    y = run(text, x=IMAGE, r=rois, b=FAR_INDEX)
    np.testing.assert_array_equal(y, np.broadcast_to(y[5], y.shape))


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align_of_regions_that_are_no_numbers(mode: str) -> None:
    rois = np.array([[a, b, c, d] for a in ODD for b, c, d in ((0.5, a, 3), (a, a, a), (0, 3, a))], np.float32)
    text = f"""(float[1,2,4,4] x, float[{len(rois)},4] r, int64[{len(rois)}] b) => (float[a,b,c,d] y)
        {{ y = RoiAlign<output_height=2, output_width=2, mode="{mode}">(x, r, b) }}"""
    y = run(text, x=IMAGE, r=rois, b=np.zeros(len(rois), np.int64))
    assert np.isfinite(y).all() and y.min() >= 0 and y.max() <= IMAGE.max()


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_of_positions_that_are_no_numbers(mode: str, padding: str) -> None:
    grid = np.array([[a, b] for a in ODD for b in ODD], np.float32)[None, :, None, :]
    text = f"""(float[1,2,4,4] x, float[1,49,1,2] g) => (float[a,b,c,d] y)
        {{ y = GridSample<mode="{mode}", padding_mode="{padding}">(x, g) }}"""
    run(text, x=IMAGE, g=grid)


def test_trilu_leaves_nothing_of_infinity() -> None:
    y = run("(float[3,4] x) => (float[3,4] y) { y = Trilu(x) }", x=np.full((3, 4), -np.inf, np.float32))
    np.testing.assert_array_equal(y, np.triu(np.full((3, 4), -np.inf, np.float32)))


@pytest.mark.parametrize(
    ("text", "inputs", "wanted"),
    [
        ("int64[1] a, int64[1] b) => (float[a,b] y) { y = Slice(x, a, b)", {"a": [-(2**63)], "b": [2**63 - 1]}, lambda: X),
        ("int64[1] k) => (float[a,b] y, int64[c,d] i) { y, i = TopK(x, k)", {"k": [9]}, None),
        ("int64[1] k) => (float[a,b] y, int64[c,d] i) { y, i = TopK(x, k)", {"k": [-1]}, None),
        ("bool[5] c) => (float[a,b] y) { y = Compress<axis=0>(x, c)", {"c": [True] * 5}, None),
        ("int64[2] s) => (float[a,b] y) { y = Reshape(x, s)", {"s": [5, 7]}, None),
        ("int64[3] s) => (float[a,b,c] y) { y = Expand(x, s)", {"s": [2, 2, 4]}, None),
    ],
)
def test_sizes_at_run_time(text: str, inputs: dict[str, list[int]], wanted: Callable[[], Array] | None) -> None:
    arrays = {name: np.array(values) for name, values in inputs.items()}
    if wanted is None:
        with pytest.raises(EdgeoptError):
            run(f"(float[3,4] x, {text} }}", x=X, **arrays)
    else:
        np.testing.assert_array_equal(run(f"(float[3,4] x, {text} }}", x=X, **arrays), wanted())
